# SPDX-License-Identifier: Apache-2.0
"""How long a guest runs on after its move was asked for."""

import datetime
import statistics
import time

from lab.proof import moves
from lab.trial import guests

# Each kind as often as the other, and in both directions.
_ORDER = ("hint", "stock", "stock", "hint", "hint", "stock")
_AT_MOST = 3.0
_NODES = "1"


def run(stage: moves.Stage) -> None:
    """A guest stops at most 3 s later for a hint than for Nova's own move.

    From the request to the last that is heard of it on its source, the
    median of three each, of the same guest on the same hosts.
    """
    seconds: dict[str, list[float]] = {"hint": [], "stock": []}
    with guests.made(stage, stage.source, _NODES) as guest:
        for kind in _ORDER:
            seconds[kind].append(_move(stage, guest, kind))
    medians = {kind: statistics.median(s) for kind, s in seconds.items()}
    for kind, found in seconds.items():
        stage.steps.note(
            f"{kind}: {medians[kind]:.1f} s from the request to the stop, of "
            + ", ".join(f"{s:.1f}" for s in found)
        )
    later = medians["hint"] - medians["stock"]
    stage.verdict.claim(
        later <= _AT_MOST,
        f"the stop comes at most {_AT_MOST} s later: {later:.1f}, {seconds}",
    )


def _move(stage: moves.Stage, guest: guests.Guest, kind: str) -> float:
    """Move it to the other host and confirm.

    :returns: seconds from the request to its last tick on its source
    """
    here = guest.host
    hosts = (stage.source, stage.destination)
    [there] = [host for host in hosts if host.name != here]
    guest.counting(time.monotonic())
    asked = time.monotonic()
    if kind == "hint":
        status = guest.ask(there, _NODES)
    else:
        status = guest.ask_stock()
    ticks = guest.ticks(asked)
    last = [tick for tick in ticks if tick.host == here][-1]
    stage.verdict.claim(
        status == guests.MOVED and guest.host == there.name,
        f"{kind}: the guest has moved to {there.name}: {status}",
    )
    stage.steps.note(
        f"{kind}, {here} to {there.name}: stopped {last.heard - asked:.1f} s "
        f"after the request\n{_events(guest)}"
    )
    guest.confirm()
    guest.counting(time.monotonic())
    return last.heard - asked


def _events(guest: guests.Guest) -> str:
    """Its steps, each with what had passed since the first of them."""
    events = guest.events()
    first = _moment(events[0]["start_time"])
    return "\n".join(
        f"    {_moment(event['start_time']) - first:5.0f} s  {event['event']}"
        f" on {event['host']}"
        for event in events
    )


def _moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()
