# SPDX-License-Identifier: Apache-2.0
"""Guests of a trial: what is asked of them, and what is claimed of them."""

import collections.abc
import contextlib

from lab.damage import guest as lab_guest
from lab.damage import history as lab_history
from lab.damage import table as damage
from lab.frame import errors
from lab.frame import readiness
from lab.hosts import machine
from lab.proof import moves
from lab.proof import servers
from lab.trial import pages

MOVED = "VERIFY_RESIZE"
_SETTLE_TIMEOUT = 120.0


class Guest(lab_guest.Guest):
    """One server on a named host, on named nodes."""

    def __init__(
        self,
        stage: moves.Stage,
        host: machine.Host,
        nodes: str,
        flavor: str,
        name: str,
    ) -> None:
        self._stage = stage
        with stage.steps(f"{name}, {flavor}, counts on {host.name}"):
            super().__init__(
                stage.cloud, stage.watch, name, flavor, host.name, nodes
            )

    def ask(self, host: machine.Host, nodes: str) -> str:
        """Ask for a move, and wait for what comes of it.

        :returns: the server's status then
        """
        what = f"{self.name} asked onto nodes {nodes} of {host.name}"
        with self._stage.steps(what):
            self.migrate(host, nodes)
            return self.settle(_SETTLE_TIMEOUT)

    def ask_stock(self) -> str:
        """Ask for a move as Nova has it, without a hint; the status then."""
        with self._stage.steps(f"{self.name} asked to move without a hint"):
            self.action(migrate={"host": None})
            return self.settle(_SETTLE_TIMEOUT)

    def go(self, host: machine.Host, nodes: str) -> bool:
        """Move it, and claim that it is where it was to go.

        :returns: whether it has moved
        """
        status = self.ask(host, nodes)
        moved = status == MOVED and self.host == host.name
        self._stage.verdict.claim(
            moved,
            f"{self.name} has moved onto nodes {nodes} of {host.name}: "
            f"{status} on {self.host}, {'' if moved else self.refusals()}",
        )
        if moved:
            self.prove(host, nodes)
        return moved

    def prove(self, host: machine.Host, nodes: str) -> None:
        """Claim that its memory and its virtual CPUs are there."""
        pages.claim(self._stage, self, host, nodes)

    def confirm(self) -> None:
        """Confirm its move."""
        self._end("confirmed", confirmResize=None)

    def revert(self) -> None:
        """Take its move back."""
        self._end("reverted", revertResize=None)

    def _end(self, what: str, **body: object) -> None:
        with self._stage.steps(f"move of {self.name} {what}"):
            self.action(**body)
            status = self.settle(_SETTLE_TIMEOUT, but=MOVED)
        self._stage.verdict.claim(
            status == "ACTIVE", f"{self.name} is active, {what}: {status}"
        )

    def events(self) -> list[dict[str, str]]:
        """The events of its last action, in their order."""
        compute = self._stage.cloud.compute
        path = f"/servers/{self.uuid}/os-instance-actions"
        last = compute.get(path).json()["instanceActions"][0]["request_id"]
        action = compute.get(f"{path}/{last}").json()["instanceAction"]
        return sorted(action["events"], key=lambda e: str(e["start_time"]))

    def refusals(self) -> list[str]:
        """Why its last action did not do what was asked, each reason once.

        Nova resets a server before it writes down why.
        """
        told: list[str] = []

        def check() -> bool:
            told[:] = [
                event["details"]
                for event in self.events()
                if event["result"] == "Error" and event["details"]
            ]
            return bool(told)

        with contextlib.suppress(errors.LabError):
            readiness.wait("a reason", check, timeout=15, interval=0.5)
        return list(dict.fromkeys(told))

    def goes_on(self, since: float) -> lab_history.History:
        """Claim that it has gone on with its state ever since a moment.

        Waits until it has read all of its memory anew.

        :param since: of this machine's clock; it counted just then
        :returns: what it said
        """
        last = self.ticks(since)[-1]
        self.counting(last.heard, last.passes + 2)
        history = lab_history.History(self.ticks(since))
        untrue = history.untrue(damage.Promise.GOES_ON)
        self._stage.verdict.claim(
            not untrue, f"{self.name} goes on with its state: {untrue}"
        )
        return history


@contextlib.contextmanager
def made(
    stage: moves.Stage,
    host: machine.Host,
    nodes: str,
    flavor: str = "numa1",
    name: str = "",
) -> collections.abc.Iterator[Guest]:
    """A guest that counts; it is gone afterwards.

    :param name: one that tells where it began, if empty
    """
    name = name or f"{flavor}-{host.name}-{nodes}"
    try:
        yield Guest(stage, host, nodes, flavor, name)
    finally:
        servers.remove(stage.cloud, [name])
