# SPDX-License-Identifier: Apache-2.0
"""One row of the matrix, from the request to the verdict."""

import collections.abc
import contextlib
import dataclasses
import time

from openstack import connection

from lab.damage import faults
from lab.damage import guest as lab_guest
from lab.damage import hand as lab_hand
from lab.damage import history as lab_history
from lab.damage import leftovers
from lab.damage import report
from lab.damage import table
from lab.frame import errors
from lab.frame import readiness
from lab.hosts import machine
from lab.proof import ticks as lab_ticks
from lab.proof import watch as lab_watch

_MOMENT_TIMEOUT = 60.0
_SETTLE_TIMEOUT = 60.0
# Seconds between two looks at a move, and how many find it over.
_LOOK, _CALM = 3.0, 5


@dataclasses.dataclass(frozen=True)
class Stage:
    """What all rows share."""

    cloud: connection.Connection
    watch: lab_watch.Watch
    hosts: tuple[machine.Host, ...]


class Play:
    """One row, played once."""

    def __init__(
        self, stage: Stage, row: table.Row, guest: lab_guest.Guest
    ) -> None:
        self._stage = stage
        self._row = row
        self._guest = guest
        here = guest.host
        [self._source] = [h for h in stage.hosts if h.name == here]
        [self._destination] = [h for h in stage.hosts if h.name != here]
        scene = faults.Scene(stage.hosts, self._at(row.side), guest.domain)
        self._fault = faults.make(row.fault, scene)
        self._before: lab_ticks.Tick = guest.counting()
        self._deaf: lab_history.Deaf | None = None

    def run(self) -> report.Result:
        """Play it.

        :raises LabError: it did not come to an end
        """
        guest = self._guest
        left = leftovers.Leftovers(self._stage.cloud, guest, self._stage.hosts)
        began = time.monotonic()
        self._before = guest.counting(began)
        self._break_in_the_moment()
        outcome = self._bring_to_its_end()
        self._wait_for_the_guest()
        history = lab_history.History(guest.ticks(began))
        untrue = history.untrue(self._row.promise, self._deaf)
        running = guest.running_on(self._stage.hosts)
        if running != [guest.host]:
            untrue.append(f"it runs on {guest.host} alone: {running}")
        return report.Result(
            self._row,
            outcome,
            time.monotonic() - began,
            history,
            tuple(untrue),
            tuple(left.find()),
        )

    def _at(self, side: table.Side) -> machine.Host:
        return (
            self._destination
            if side is table.Side.DESTINATION
            else self._source
        )

    def _break_in_the_moment(self) -> None:
        """Ask for the move, and break what is to break when it is time."""
        row, guest, deed = self._row, self._guest, self._fault.deed()
        watcher = self._at(row.step.side)
        in_place = deed is not None and row.side is row.step.side
        do, to = deed if deed and in_place else ("tell", "")
        with self._hands() as hands:
            hands[watcher.name].arm(guest.uuid, row.step, do, to)
            guest.migrate(self._destination)
            self._wait_moment(hands[watcher.name], do)
            broken = time.monotonic()
            try:
                if deed is None:
                    self._fault.strike()
                elif not in_place:
                    hands[self._at(row.side).name].strike(*deed)
                time.sleep(self._fault.outage)
            finally:
                self._fault.heal()
                if self._fault.deafens:
                    # The moment was seen that much later.
                    seconds = time.monotonic() - broken + _LOOK
                    victim = self._at(row.side).name
                    self._deaf = lab_history.Deaf(victim, seconds)
        if row.fault is table.Fault.POWER:
            self._stage.watch.resume(self._at(row.side))

    def _wait_moment(self, hand: lab_hand.Hand, do: str) -> None:
        """Until it comes, or never will."""
        calm = 0

        def check() -> bool:
            nonlocal calm
            if hand.has_done(do, _LOOK):
                return True
            task = self._guest.show()["OS-EXT-STS:task_state"]
            calm = 0 if task else calm + 1
            if calm > _CALM:
                raise errors.LabError(f"no {self._row.step}: the move is over")
            return False

        readiness.wait(
            f"{self._row.step} of the move", check, timeout=_MOMENT_TIMEOUT
        )

    @contextlib.contextmanager
    def _hands(
        self,
    ) -> collections.abc.Iterator[dict[str, lab_hand.Hand]]:
        hands = {h.name: lab_hand.Hand(h) for h in self._stage.hosts}
        try:
            yield hands
        finally:
            for hand in hands.values():
                hand.close()

    def _bring_to_its_end(self) -> str:
        """What an operator does: confirm what has moved, revert the rest."""
        guest = self._guest
        status = guest.settle(_SETTLE_TIMEOUT)
        if status != "VERIFY_RESIZE":
            return f"{status} on {self._role()}"
        if guest.running_on(self._stage.hosts) == [guest.host]:
            guest.action(confirmResize=None)
            done = "confirmed"
        else:
            guest.action(revertResize=None)
            done = "reverted"
        status = guest.settle(_SETTLE_TIMEOUT, but=status)
        return f"{done}, {status} on {self._role()}"

    def _role(self) -> str:
        if self._guest.host == self._source.name:
            return "source"
        return "destination"

    def _wait_for_the_guest(self) -> None:
        """Until it has read all of its memory anew, where it is now."""
        guest, now = self._guest, time.monotonic()
        if self._row.promise is table.Promise.GOES_ON:
            guest.counting(now, self._before.passes + 2)
            return
        if not guest.running_on(self._stage.hosts):
            if guest.show()["status"] == "ACTIVE":
                # Nova finds that out, and then lets nobody in between.
                guest.server.wait("SHUTOFF", _SETTLE_TIMEOUT)
            guest.action(reboot={"type": "HARD"})
        guest.counting(now, 1)
