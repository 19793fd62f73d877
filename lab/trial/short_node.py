# SPDX-License-Identifier: Apache-2.0
"""A node is short of memory that Nova's books do not know of."""

import contextlib
import itertools
import re
import time
import typing

from lab.damage import history as lab_history
from lab.frame import readiness
from lab.hosts import machine
from lab.proof import checkpoints
from lab.proof import moves
from lab.trial import guests

_REQUESTS = 20
_NODE = 1
_GUEST_MIB = 96
_LEFT_MIB = 70
_UNIT = "lab-hog"
# Its arguments are the node and the MiB to leave of what can be had there. It
# is the first to go when the kernel needs memory.
_HOG = """
import ctypes, sys, time
node, left = int(sys.argv[1]), int(sys.argv[2])
def free():
    lines = open(f"/sys/devices/system/node/node{node}/meminfo")
    found = {line.split()[2]: int(line.split()[3]) for line in lines}
    names = ("Active(file):", "Inactive(file):", "SReclaimable:")
    return (found["MemFree:"] + sum(found[n] for n in names) // 2) >> 10
ctypes.CDLL(None).mlockall(3)
held = []
while True:
    while free() > left:
        held.append(b"x" * (1 << 20))
    print("full", flush=True)
    time.sleep(1)
"""
WORDS = re.compile(
    r"node (?P<node>\d+) has (?P<free>\d+) MiB free now .* "
    r"(?P<margin>\d+) MiB to stay free; the guest needs (?P<needs>\d+) MiB"
)


def run(stage: moves.Stage) -> None:
    """A node short of memory refuses a guest, and both guests run on.

    Nova's books have room there: the refusal is the destination's own, of
    what its kernel says at that moment.
    """
    target = stage.destination
    with (
        guests.made(stage, stage.source, "3", "shared1") as guest,
        guests.made(
            stage, target, str(_NODE), "shared1", "neighbour"
        ) as neighbour,
    ):
        emulators = _emulators(stage, guest, neighbour)
        began = time.monotonic()
        for one in (guest, neighbour):
            one.counting(began)
        with _hog(stage, target):
            refused = sum(
                _refuses(stage, guest, number)
                for number in range(1, _REQUESTS + 1)
            )
            for one in (guest, neighbour):
                _runs_on(stage, one, began)
        stage.verdict.claim(
            _emulators(stage, guest, neighbour) == emulators,
            f"both guests have the emulators that they had: {emulators}",
        )
        stage.steps.note(f"refused before the stop: {refused} of {_REQUESTS}")
        # With the memory there nothing is in the way of the same request.
        if guest.go(target, str(_NODE)):
            guest.confirm()


def _refuses(stage: moves.Stage, guest: guests.Guest, number: int) -> bool:
    """Ask once; whether it is refused, in numbers, with nothing done."""
    status = guest.ask(stage.destination, str(_NODE))
    told = "; ".join(guest.refusals())
    found = WORDS.search(told)
    stage.steps.note(f"request {number}: {status}: {told}")
    steps = [event["event"] for event in guest.events()]
    held = (
        status == "ACTIVE"
        and guest.host == stage.source.name
        and found is not None
        and int(found["node"]) == _NODE
        and int(found["needs"]) == _GUEST_MIB
        and int(found["free"]) < _GUEST_MIB
        and "numa_migrate_checkpoint" not in steps
    )
    return stage.verdict.claim(
        held, f"request {number} is refused: {status}, {told!r}, {steps}"
    )


def _runs_on(stage: moves.Stage, guest: guests.Guest, began: float) -> None:
    """Claim that it was never stopped: nothing was saved, nothing missed."""
    history = guest.goes_on(began)
    name = checkpoints.file(guest.uuid)
    files = [file for file in stage.watch.files() if file.name == name]
    stage.verdict.claim(
        not files, f"no checkpoint of {guest.name} was ever begun: {files}"
    )
    gaps = [
        (before.count, after.count)
        for before, after in itertools.pairwise(history.ticks)
        if after.count != before.count + 1
    ]
    stage.verdict.claim(not gaps, f"{guest.name} missed no count: {gaps}")
    stage.steps.note(f"{guest.name} counts on: {_span(history)}")


def _span(history: lab_history.History) -> str:
    first, last = history.ticks[0], history.ticks[-1]
    return (
        f"{first.count} -> {last.count}, {last.passes - first.passes} passes "
        f"over its memory, {last.bad} words wrong, at most "
        f"{history.silence:.1f} s between two lines"
    )


def _emulators(stage: moves.Stage, *those: guests.Guest) -> list[str]:
    return [
        host.shell.run(["cat", f"/run/libvirt/qemu/{one.domain}.pid"], 30)
        for host, one in zip(
            (stage.source, stage.destination), those, strict=True
        )
    ]


@contextlib.contextmanager
def _hog(stage: moves.Stage, host: machine.Host) -> typing.Iterator[None]:
    """While in it, the node has less free than the guest needs."""
    host.shell.run(
        [
            *("systemd-run", f"--unit={_UNIT}", "--collect"),
            *("-p", "NUMAPolicy=bind", "-p", f"NUMAMask={_NODE}"),
            *("-p", "OOMScoreAdjust=1000", "-p", "LimitMEMLOCK=infinity"),
            *("python3", "-c", _HOG, str(_NODE), str(_LEFT_MIB)),
        ],
        60,
    )
    journal = ["journalctl", f"--unit={_UNIT}", "--output=cat", "--boot"]
    try:
        with stage.steps(f"node {_NODE} of {host.name} filled"):
            readiness.wait(
                "a full node",
                lambda: "full" in host.shell.run(journal, 30).split(),
                timeout=60,
                interval=1.0,
            )
        yield
    finally:
        host.shell.run(["systemctl", "stop", _UNIT], 60)
