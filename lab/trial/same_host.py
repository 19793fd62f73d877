# SPDX-License-Identifier: Apache-2.0
"""Guests go from node to node on their own host."""

import time

from lab.hosts import machine
from lab.proof import checkpoints
from lab.proof import moves
from lab.proof import watch as lab_watch
from lab.trial import guests

# $1 is the server's directory.
_LOOK = 'ls -d "$1"*; stat --format=%i "$1/disk"'
_BOOKED = "needs 1 dedicated CPUs, 0 free"


def run(stage: moves.Stage) -> None:
    """Two cells go from node to node on their host; no disk is copied.

    Nodes are swapped where the host has room for both, and refused, in
    words, where each has one CPU to give.
    """
    host = stage.source
    with guests.made(stage, host, "0,1", "numa2") as guest:
        _go(stage, guest, host, "2,3", back=True)
        _go(stage, guest, host, "3,2", back=False)
        _swap_refused(stage, guest, host, "2,3")
    with guests.made(stage, host, "2,3", "shared2") as guest:
        _go(stage, guest, host, "3,2", back=True)
        _go(stage, guest, host, "3,2", back=False)


def _go(
    stage: moves.Stage,
    guest: guests.Guest,
    host: machine.Host,
    nodes: str,
    back: bool,
) -> None:
    """Move it, confirm or take back, and claim all that was promised."""
    before = guest.server.cells()
    disk = _disk(host, guest.uuid)
    began = time.monotonic()
    guest.counting(began)
    if not guest.go(host, nodes):
        return
    claim = stage.verdict.claim
    moved = _disk(host, guest.uuid)
    claim(moved == disk, f"the disk is where it was: {disk}, {moved}")
    moved_cells = guest.server.cells()
    (guest.revert if back else guest.confirm)()
    history = guest.goes_on(began)
    ended = _disk(host, guest.uuid)
    claim(ended == disk, f"the disk is where it was: {disk}, {ended}")
    cells = guest.server.cells()
    wanted = before if back else moved_cells
    claim(cells == wanted, f"its cells are {wanted}: {cells}")
    guest.prove(host, ",".join(str(cell.node) for cell in wanted))
    checkpoints.claim_gone(guest.uuid, (host,), stage.verdict)
    stage.steps.note(
        f"{guest.name}: counter {history.ticks[0].count} -> "
        f"{history.ticks[-1].count}, silent for at most "
        f"{history.silence:.1f} s, disk {disk.split()[-1]} all the time"
    )


def _swap_refused(
    stage: moves.Stage, guest: guests.Guest, host: machine.Host, nodes: str
) -> None:
    """Each node has one CPU of its own kind, which the guest holds."""
    began = time.monotonic()
    guest.counting(began)
    status = guest.ask(host, nodes)
    told = guest.refusals()
    stage.steps.note(f"swap refused: {'; '.join(told)}")
    stage.verdict.claim(
        status == "ACTIVE" and any(_BOOKED in text for text in told),
        f"a swap without room is refused: {status}, {told}",
    )
    guest.goes_on(began)


def _disk(host: machine.Host, server: str) -> str:
    """The server's directories on the host, and which file its disk is."""
    directory = f"{lab_watch.INSTANCES}/{server}"
    return host.shell.run(["sh", "-c", _LOOK, "look", directory], 30)
