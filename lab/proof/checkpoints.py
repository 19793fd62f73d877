# SPDX-License-Identifier: Apache-2.0
"""Nobody else can read a checkpoint, and none stays behind."""

import collections.abc

from lab.hosts import machine
from lab.proof import verdict as lab_verdict
from lab.proof import watch as lab_watch

_DIRECTORY = "numa_migrate"
_FILE_MODE, _DIRECTORY_MODE = 0o600, 0o700


def file(server: str) -> str:
    """Name of the file with a server's checkpoint.

    What is written down of its move is beside it.

    :param server: its UUID
    """
    return f"{server}.save"


def claim_private(
    watch: lab_watch.Watch,
    server: str,
    hosts: collections.abc.Iterable[machine.Host],
    verdict: lab_verdict.Verdict,
) -> None:
    """Claim that a server's checkpoint was private from its first byte.

    :param server: its UUID
    :param hosts: those on which there must have been one
    """
    events = watch.files()
    for host in hosts:
        here = [event for event in events if event.host == host.name]
        files = [event for event in here if event.name.startswith(server)]
        verdict.claim(
            any(
                event.event == "create" and event.name == file(server)
                for event in files
            ),
            f"a checkpoint of {server} was seen on {host.name}: {files}",
        )
        _claim_mode(files, _FILE_MODE, verdict)
        directory = [event for event in here if event.name == _DIRECTORY]
        verdict.claim(
            bool(directory), f"a checkpoint directory was on {host.name}"
        )
        _claim_mode(directory, _DIRECTORY_MODE, verdict)


def claim_gone(
    server: str,
    hosts: collections.abc.Iterable[machine.Host],
    verdict: lab_verdict.Verdict,
) -> None:
    """Claim that nothing of a server's checkpoint is on these hosts."""
    for host in hosts:
        left = host.shell.run(
            [
                *("find", "/var/lib/nova", "-maxdepth", "2"),
                *("-path", f"{lab_watch.CHECKPOINTS}/*{server}*"),
            ],
            30,
        )
        verdict.claim(
            not left.strip(),
            f"the checkpoint of {server} is gone on {host.name}: {left}",
        )


def _claim_mode(
    events: list[lab_watch.FileEvent],
    mode: int,
    verdict: lab_verdict.Verdict,
) -> None:
    for event in events:
        if event.mode is not None:
            verdict.claim(
                event.mode == mode,
                f"{event.name} has mode {mode:o} on {event.host}: {event}",
            )
