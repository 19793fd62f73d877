# SPDX-License-Identifier: Apache-2.0
"""Whether a host's kernel is well: nothing on it waits for ever.

The kernel of an emulated host was seen to hang while libvirt tried out its
emulator: tasks wait in ``rcu_barrier`` and no signal ends them. What they
hold is lost until the host starts anew, and a snapshot would keep the harm.
"""

import dataclasses
import time

from lab.hosts import machine

# Seconds. What waits for a disk is served in less, however slow the machine.
_HANGS_AFTER = 60.0
_FIELDS = "^(Name|State|voluntary_ctxt_switches):"
_READ = f"grep -sE '{_FIELDS}' /proc/[0-9]*/task/*/status; true"


@dataclasses.dataclass(frozen=True)
class Blocked:
    """A task in a wait that no signal ends (state D).

    :param task: its directory in /proc
    :param program: its name
    :param switches: how often it has gone to sleep so far; the same number
        later means that it has not run in between
    """

    task: str
    program: str
    switches: int


def blocked(text: str) -> set[Blocked]:
    """The blocked ones among the tasks whose status was read.

    :param text: lines ``/proc/N/task/N/status:Field:<tab>value``
    """
    tasks: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        file, field, value = line.split(":", 2)
        tasks.setdefault(file, {})[field] = value.strip()
    return {
        Blocked(
            file.removesuffix("/status"),
            fields["Name"],
            int(fields["voluntary_ctxt_switches"]),
        )
        for file, fields in tasks.items()
        if fields.get("State", "").startswith("D")
        and "voluntary_ctxt_switches" in fields
    }


def hung(host: machine.Host) -> list[str]:
    """Programs on it that have not come out of a wait; none on a sound host.

    At once on a host where nothing waits; else after some seconds.

    :raises LabError: it does not say
    """
    found = _blocked(host)
    deadline = time.monotonic() + _HANGS_AFTER
    while found and time.monotonic() < deadline:
        time.sleep(1)
        found &= _blocked(host)
    return sorted(f"{task.program} ({task.task})" for task in found)


def check(host: machine.Host) -> None:
    """Refuse a host that hangs.

    :raises Hang: it does; its processors or programs are named
    :raises LabError: it does not say
    """
    host.check_processors()
    programs = hung(host)
    if programs:
        raise machine.Hang(
            host,
            f"{host.name} hangs: for ever wait {', '.join(programs)}",
        )


def _blocked(host: machine.Host) -> set[Blocked]:
    return blocked(host.shell.run(["sh", "-c", _READ], timeout=30))
