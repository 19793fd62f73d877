# SPDX-License-Identifier: Apache-2.0
"""A guest that ran on and wrote is taken back."""

import time

from lab.damage import leftovers
from lab.proof import moves
from lab.proof import ticks as lab_ticks
from lab.trial import disks
from lab.trial import guests

# Records, of which the guest writes one in about two seconds.
_WRITTEN = 6
_WRITE_TIMEOUT = 120.0


def run(stage: moves.Stage) -> None:
    """A revert brings memory and local disk of the checkpoint back, whole.

    The guest has run on at the destination and written to its disk there:
    of that nothing is left, and memory and disk fit each other.
    """
    with guests.made(stage, stage.source, "2") as guest:
        hosts = (stage.source, stage.destination)
        left = leftovers.Leftovers(stage.cloud, guest, hosts)
        began = time.monotonic()
        guest.counting(began)
        if not guest.go(stage.destination, "1"):
            return
        there = _write(stage, guest)
        guest.revert()
        reverted = time.monotonic()
        guest.counting(reverted)
        history = guest.goes_on(began)
        saved, back = _turn(history.ticks)
        stage.steps.note(
            f"records: {saved.records} when it was saved, {there.records} at "
            f"the destination, {back.records} when it was back; counter "
            f"{saved.count}, {there.count}, {back.count}"
        )
        stage.verdict.claim(
            saved.records <= back.records <= saved.records + 1
            and there.records >= saved.records + _WRITTEN,
            f"the disk is that of the checkpoint: {saved}, {there}, {back}",
        )
        found = left.find()
        stage.verdict.claim(not found, f"nothing is left: {found}")
        _look_inside(stage, guest)


def _write(stage: moves.Stage, guest: guests.Guest) -> lab_ticks.Tick:
    """Have it write at the destination; its tick there."""
    host = stage.destination.name
    first = stage.watch.wait_tick(
        guest.uuid,
        "a tick at the destination",
        lambda tick: tick.host == host,
        _WRITE_TIMEOUT,
    )
    with stage.steps(f"{_WRITTEN} more records written on {host}"):
        # One may have been under way when the guest was saved.
        return stage.watch.wait_tick(
            guest.uuid,
            "records written at the destination",
            lambda tick: (
                tick.host == host and tick.records > first.records + _WRITTEN
            ),
            _WRITE_TIMEOUT,
        )


def _turn(
    ticks: tuple[lab_ticks.Tick, ...],
) -> tuple[lab_ticks.Tick, lab_ticks.Tick]:
    """The last tick before the move, and the first after the revert."""
    home = ticks[0].host
    away = [n for n, tick in enumerate(ticks) if tick.host != home]
    return ticks[away[0] - 1], ticks[away[-1] + 1]


def _look_inside(stage: moves.Stage, guest: guests.Guest) -> None:
    """Power it off and claim that its file system is whole."""
    with stage.steps("guest stopped, its disk read"):
        guest.action(**{"os-stop": None})
        status = guest.settle(_WRITE_TIMEOUT, but="ACTIVE")
        last = stage.watch.last_tick(guest.uuid, stage.source.name)
        disks.claim_whole(stage.source, guest.uuid, last, stage.verdict)
    stage.verdict.claim(
        status == "SHUTOFF", f"the guest has powered off: {status}"
    )
