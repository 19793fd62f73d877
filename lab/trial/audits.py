# SPDX-License-Identifier: Apache-2.0
"""Hosts are audited all the time while guests move."""

import collections
import datetime
import itertools
import time

import prettytable

from lab.damage import audit
from lab.damage import books
from lab.hosts import machine
from lab.proof import moves
from lab.proof import servers
from lab.trial import guests
from lab.trial import ledger
from lab.trial import logs

# As often as Nova can: there is hardly a moment without an audit.
_SECONDS = 1
_BOOKED_TIMEOUT = 20.0
# Resources by host and consumer.
_Allocations = dict[str, dict[str, dict[str, int]]]
_Cells = list[servers.Cell]
# In a shorter step an audit ends by chance.
_LONG_SECONDS = 10.0


def run(stage: moves.Stage) -> None:
    """Audits between the steps of moves raise nothing and book the truth.

    Of moves to another host and on one host, confirmed and reverted.
    """
    hosts = (stage.source, stage.destination)
    for host in hosts:
        with stage.steps(f"{host.name} audited every {_SECONDS} s"):
            audit.often(host, _SECONDS, told=True)
    try:
        with guests.made(stage, stage.source, "0,1", "numa2") as guest:
            _play(stage, guest)
    finally:
        for host in hosts:
            audit.often(host)


def _play(stage: moves.Stage, guest: guests.Guest) -> None:
    audited = Audited()
    here, there = stage.source, stage.destination
    for host, nodes, back in (
        (there, "3,2", True),
        (there, "3,2", False),
        (there, "0,1", True),
        (there, "1,0", False),
    ):
        end = "reverted" if back else "confirmed"
        what = f"onto {nodes} of {host.name}, {end}"
        with logs.Logs((here, there)) as heard, ledger.Ledger() as booked:
            move = _Move(stage, guest, booked, what)
            move.run(host, nodes, back)
        bad = heard.bad()
        stage.verdict.claim(not bad, f"{what}: nothing is raised: {bad}")
        for step, began, ended in move.steps:
            audited.seconds[step] += ended - began
            for name in (here.name, there.name):
                audited.count[step, name] += sum(
                    began <= at <= ended for at in heard.audits(name)
                )
    _tell(stage, audited)


class Audited:
    """Audits that ended in each step of all moves.

    ``seconds`` that each step took, by its name, and the ``count``, by the
    step and the host.
    """

    def __init__(self) -> None:
        self.seconds: collections.defaultdict[str, float] = (
            collections.defaultdict(float)
        )
        self.count: collections.Counter[tuple[str, str]] = (
            collections.Counter()
        )


class _Move:
    """One move and its end, and what is booked meanwhile."""

    def __init__(
        self,
        stage: moves.Stage,
        guest: guests.Guest,
        booked: ledger.Ledger,
        what: str,
    ) -> None:
        self._stage = stage
        self._guest = guest
        self._booked = booked
        self._what = what
        #: Name, begin and end of each, by time.time().
        self.steps: list[tuple[str, float, float]] = []

    def run(self, host: machine.Host, nodes: str, back: bool) -> None:
        """Play it.

        :param back: whether it is taken back in the end
        """
        guest, here, there = self._guest, self._guest.host, host.name
        began = time.monotonic()
        guest.counting(began)
        old = guest.server.cells()
        before = self._allocations()
        if not guest.go(host, nodes):
            return
        self._note_steps()
        new = guest.server.cells()
        self._claim_allocated_twice(before, here, there)
        booked = _pages(here, there, old, new, back)
        self._wait_booked({name: pages[1] for name, pages in booked.items()})
        (guest.revert if back else guest.confirm)()
        self._note_steps()
        guest.goes_on(began)
        now = self._allocations()
        self._claim(
            now == {name: {} for name in before} | {guest.host: before[here]},
            f"allocations are as before: {before}, {now}",
        )
        self._wait_booked({name: pages[2] for name, pages in booked.items()})
        self._claim_pages(
            {
                name: [uses for uses, _ in itertools.groupby(pages)]
                for name, pages in booked.items()
            }
        )

    def _claim_allocated_twice(
        self, before: _Allocations, here: str, there: str
    ) -> None:
        """The guest holds the new resources, its migration the old ones."""
        now, uuid = self._allocations(), self._guest.uuid
        resources = before[here][uuid]
        holders = {
            name: sorted(
                "guest" if consumer == uuid else "migration"
                for consumer, held in consumers.items()
                if held == resources
            )
            for name, consumers in now.items()
        }
        wanted = {name: list[str]() for name in now}
        wanted[there] = wanted[there] + ["guest"]
        wanted[here] = wanted[here] + ["migration"]
        self._claim(
            holders == wanted
            and sum(map(len, now.values())) == sum(map(len, wanted.values())),
            f"allocations in {guests.MOVED}: {now}",
        )

    def _claim_pages(self, pages: dict[str, list[ledger.Uses]]) -> None:
        """Each report was true when it was made: nothing else was booked."""
        for host, wanted in pages.items():
            seen = self._booked.pages(host)
            told = f"{host} has reported {ledger.told(seen)}"
            self._stage.steps.note(f"{self._what}: {told}")
            self._claim(seen == wanted, f"{told}, not {ledger.told(wanted)}")

    def _wait_booked(self, uses: dict[str, ledger.Uses]) -> None:
        for host, wanted in uses.items():
            self._booked.wait(host, wanted, _BOOKED_TIMEOUT)

    def _note_steps(self) -> None:
        for event in self._guest.events():
            began, ended = event["start_time"], event["finish_time"]
            if ended:
                self.steps.append(
                    (event["event"], _seconds(began), _seconds(ended) + 1)
                )

    def _allocations(self) -> _Allocations:
        return books.read(self._stage.cloud).allocations

    def _claim(self, true: bool, what: str) -> None:
        self._stage.verdict.claim(true, f"{self._what}: {what}")


def _pages(
    here: str, there: str, old: _Cells, new: _Cells, back: bool
) -> dict[str, list[ledger.Uses]]:
    """What each host has to report: before, in between, and after.

    :param back: whether the move is taken back in the end
    """
    if here == there:
        last = ledger.of(old if back else new)
        return {here: [ledger.of(old), ledger.of(old, new), last]}
    source = [ledger.of(old), ledger.of(old), ledger.of(old if back else [])]
    arrived = [ledger.of(new), ledger.of([] if back else new)]
    return {here: source, there: [ledger.of(), *arrived]}


def _seconds(text: str) -> float:
    moment = datetime.datetime.fromisoformat(text)
    return moment.replace(tzinfo=datetime.UTC).timestamp()


def _tell(stage: moves.Stage, audited: Audited) -> None:
    """Print how often it was in each step, and claim that it was."""
    names = (stage.source.name, stage.destination.name)
    table = prettytable.PrettyTable(
        ["step, all moves", "seconds", *names], align="l"
    )
    for step, seconds in audited.seconds.items():
        counts = [audited.count[step, name] for name in names]
        table.add_row([step, f"{seconds:.0f}", *counts])
        stage.verdict.claim(
            any(counts) or seconds < _LONG_SECONDS,
            f"a host was audited in the {seconds:.0f} s of {step}: {counts}",
        )
    stage.steps.note(f"audits that ended in each step\n{table}")
