# SPDX-License-Identifier: Apache-2.0
"""A checkpoint is damaged on its way."""

import time

from lab.damage import hand as lab_hand
from lab.damage import leftovers
from lab.damage import table as damage
from lab.proof import moves
from lab.proof import watch as lab_watch
from lab.trial import guests

_DEEDS = ("flip", "cut")
_WORDS = "is damaged or incomplete"
_NODES = "1"


def run(stage: moves.Stage) -> None:
    """A damaged checkpoint is noticed before the guest starts from it.

    One byte of it is another, or its second half is missing. The guest goes
    on at its source with its state, and nothing is left of the move.
    """
    with guests.made(stage, stage.source, "2") as guest:
        for deed in _DEEDS:
            _damaged(stage, guest, deed)


def _damaged(stage: moves.Stage, guest: guests.Guest, deed: str) -> None:
    hosts = (stage.source, stage.destination)
    left = leftovers.Leftovers(stage.cloud, guest, hosts)
    began = time.monotonic()
    guest.counting(began)
    hand = lab_hand.Hand(stage.destination)
    try:
        image = f"{lab_watch.CHECKPOINTS}/{guest.uuid}.save"
        hand.arm(guest.uuid, damage.Step.RESTORING, deed, image)
        status = guest.ask(stage.destination, _NODES)
        hand.wait_done(deed)
    finally:
        hand.close()
    claim = stage.verdict.claim
    claim(
        status == "ACTIVE" and guest.host == stage.source.name,
        f"{deed}: the guest is back on {stage.source.name}: "
        f"{status} on {guest.host}",
    )
    told = guest.refusals()
    stage.steps.note(f"{deed}: {'; '.join(told)}")
    claim(
        any(_WORDS in text for text in told),
        f"{deed}: the damage is told: {told}",
    )
    history = guest.goes_on(began)
    heard = {tick.host for tick in history.ticks}
    claim(
        heard == {stage.source.name},
        f"{deed}: the guest has never run elsewhere: heard on {heard}",
    )
    found = left.find()
    claim(not found, f"{deed}: nothing is left of the move: {found}")
    stage.steps.note(
        f"{deed}: counter {history.stop.count} -> {history.resume.count}, "
        f"boot id {history.resume.boot_id}, checksum "
        f"{history.ticks[-1].checksum}, silent for {history.silence:.1f} s, "
        f"left: {found or 'nothing'}"
    )
