# SPDX-License-Identifier: Apache-2.0
"""One guest of the demonstration and what is done to it.

Each method asks the cloud for one thing, waits for the guest itself to
show it on its console, and claims what must then be true.
"""

import dataclasses
import shlex

from openstack import connection

from lab import catalogue
from lab.frame import steps as lab_steps
from lab.hosts import machine
from lab.hosts import topology
from lab.proof import memory
from lab.proof import report
from lab.proof import servers
from lab.proof import ticks
from lab.proof import verdict as lab_verdict
from lab.proof import watch as lab_watch

_TICK_TIMEOUT = 240.0
_STATUS_TIMEOUT = 240.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """What shall happen to a guest.

    :param hint: value of the hint ``numa_node``
    :param nodes: the same for the proof, by guest cell
    :param options: what else ``openstack server create`` is told
    :param drives: its disks beside the first
    """

    name: str
    flavor: str
    hint: str
    nodes: tuple[int, ...]
    options: tuple[str, ...] = (
        *("--image", catalogue.IMAGE),
        *("--nic", "none"),
    )
    drives: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Stage:
    """What all guests of one run share."""

    cloud: connection.Connection
    steps: lab_steps.Steps
    watch: lab_watch.Watch
    verdict: lab_verdict.Verdict
    source: machine.Host
    destination: machine.Host


class Guest:
    """One server, from its creation to its last move."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self._stage = stage
        self._claim = stage.verdict.claim
        self.plan = plan

    def boot(self) -> None:
        """Create it on the source and wait until it has proved itself."""
        name = self.plan.name
        self._run(
            *("server", "create", "--flavor", self.plan.flavor),
            *(*self.plan.options, "--wait"),
            *("--host", self._stage.source.name, name),
        )
        self.server = servers.Server(self._stage.cloud, name)
        with self._stage.steps(f"{name} counts, its pattern verified once"):
            tick = self._wait(lambda t: t.passes >= 1 and self._has_all(t))
        self._claim(tick.intact, f"{name} is intact after its boot: {tick}")

    def go(self) -> float:
        """Move it onto the nodes of its plan.

        :returns: seconds of silence on its console
        """
        name, host = self.plan.name, self._stage.destination.name
        self._cells = self.server.cells()
        self._run(
            *("server", "migrate", "--hint", f"numa_node={self.plan.hint}"),
            *("--host", host, "--wait", name),
        )
        self._before = self._last(self._stage.source.name)
        self._first = self._wait(lambda t: t.host == host)
        return self._first.heard - self._before.heard

    def prove(self) -> None:
        """Print where it is and in what state, and claim that it is right."""
        name, host = self.plan.name, self._stage.destination
        before = self._before
        # From here on every word of the pattern was read once more.
        after = self._wait(
            lambda t: t.host == host.name and t.passes >= before.passes + 2
        )
        silence = self._first.heard - before.heard
        self._stage.steps.note(
            f"{name} on {host.name}\n"
            f"{report.cells(self._cell_proofs())}\n"
            f"{report.state(before, after, self._first, silence)}"
        )
        self._claim_same_state(before, self._first, after)

    def ask_for_missing_node(self, node: int) -> None:
        """Ask for a node that no host has; the guest must not notice."""
        name, host = self.plan.name, self._stage.source.name
        count = self._last(self._stage.destination.name).count
        answer = self._try(
            *("server", "migrate", "--hint", f"numa_node={node}"),
            *("--host", host, "--wait", name),
        )
        self._stage.steps.note(answer.text)
        wanted = (host, f"node {node}", "0-3")
        self._claim(
            answer.status != 0
            and all(words in answer.text for words in wanted),
            f"the refusal of node {node} names {', '.join(wanted)}: "
            f"status {answer.status}, {answer.text!r}",
        )
        tick = self._wait(lambda t: t.count >= count + 2)
        self._claim(tick.intact, f"{name} counts after the refusal: {tick}")

    def confirm(self) -> None:
        """Confirm its move."""
        self._run("server", "migration", "confirm", self.plan.name)
        self.server.wait("ACTIVE", _STATUS_TIMEOUT)

    def revert(self, *, as_it_is: bool = False) -> float:
        """Take its move back: it goes on from where the move stopped it.

        :param as_it_is: from where the revert stops it instead
        :returns: seconds of silence on its console
        """
        name, host = self.plan.name, self._stage.source
        before = self._before
        self._run("server", "migration", "revert", name)
        self.server.wait("ACTIVE", _STATUS_TIMEOUT)
        last = self._last(self._stage.destination.name)
        heard = last.heard
        before = last if as_it_is else before
        first = self._wait(lambda t: t.host == host.name and t.heard > heard)
        after = self._wait(
            lambda t: t.heard > heard and t.passes >= before.passes + 2
        )
        silence = first.heard - heard
        self._stage.steps.note(
            f"{name} back on {host.name}\n"
            f"{report.state(before, after, first, silence)}"
        )
        self._claim_same_state(before, first, after)
        cells = self.server.cells()
        self._claim(
            cells == self._cells,
            f"{name} has its cells of before the move: {cells}",
        )
        self._measure(host, [cell.node for cell in cells])
        return silence

    def stop(self) -> ticks.Tick:
        """Power it off by its power button.

        :returns: what it said last
        """
        self._run("server", "stop", self.plan.name)
        self.server.wait("SHUTOFF", _STATUS_TIMEOUT)
        return self._stage.watch.heard(self.server.uuid)[-1]

    def go_stock(self) -> float:
        """Move it back as Nova does without a hint: it boots again.

        :returns: seconds of silence on its console
        """
        name = self.plan.name
        source, host = self._stage.destination.name, self._stage.source.name
        self._run("server", "migrate", "--wait", name)
        before = self._last(source)
        first = self._wait(lambda t: t.host == host and t.heard > before.heard)
        self._claim(
            first.boot_id != before.boot_id,
            f"{name} has booted anew: {before.boot_id}, {first.boot_id}",
        )
        self._claim(
            first.intact and first.records >= before.records,
            f"{name} has its disk after it booted anew: {before}, {first}",
        )
        return first.heard - before.heard

    def _has_all(self, tick: ticks.Tick) -> bool:
        named = {drive.partition(":")[0] for drive in tick.more.split(",")}
        return named >= set(self.plan.drives)

    def _cell_proofs(self) -> list[report.CellProof]:
        host = self._stage.destination
        measured = memory.measure(host.shell, self.server.domain)
        proofs = [
            report.CellProof(
                number=number,
                asked=node,
                claimed=cell,
                found=measured.cell(cell.mib),
                threads={v: measured.pinning.get(v, "") for v in cell.pinning},
            )
            for number, (node, cell) in enumerate(
                zip(self.plan.nodes, self.server.cells(), strict=True)
            )
        ]
        for proof in proofs:
            self._claim_cell(proof)
        return proofs

    def _measure(self, host: machine.Host, nodes: list[int]) -> None:
        measured = memory.measure(host.shell, self.server.domain)
        for node, cell in zip(nodes, self.server.cells(), strict=True):
            area = measured.cell(cell.mib)
            self._claim(
                set(area.pages) == {node},
                f"{self.plan.name}: {cell.mib} MiB are on node {node} of "
                f"{host.name}: {report.pages(area)}",
            )

    def _claim_cell(self, proof: report.CellProof) -> None:
        what = f"{self.plan.name} cell {proof.number}"
        self._claim(
            proof.claimed.node == proof.asked,
            f"{what}: node {proof.asked} is claimed: {proof.claimed}",
        )
        self._claim(
            set(proof.found.pages) == {proof.asked},
            f"{what}: all pages are on node {proof.asked}: "
            f"{report.pages(proof.found)}",
        )
        own = {str(cpu) for cpu in topology.cpus(proof.asked)}
        pinned = {v: str(cpu) for v, cpu in proof.claimed.pinning.items()}
        self._claim(
            proof.threads == pinned and set(pinned.values()) <= own,
            f"{what}: its virtual CPUs run on the CPUs claimed on node "
            f"{proof.asked}: {proof.threads}, {pinned}",
        )

    def _claim_same_state(
        self, before: ticks.Tick, first: ticks.Tick, after: ticks.Tick
    ) -> None:
        what = f"{self.plan.name}, {before} -> {after}:"
        same = before.boot_id == first.boot_id == after.boot_id
        self._claim(same, f"{what} the boot id is the same")
        # The save may come before the source's last line is printed.
        self._claim(
            0 <= first.count - before.count <= 2,
            f"{what} the counter goes on at {first.count}",
        )
        self._claim(
            before.checksum == after.checksum,
            f"{what} the pattern's checksum is the same",
        )
        self._claim(after.intact, f"{what} memory and disk are intact")
        self._claim(
            before.more == after.more and self._has_all(after),
            f"{what} the further disks hold the same",
        )
        self._claim(
            after.records > before.records,
            f"{what} the disk takes further records",
        )

    def _wait(self, wanted: lab_watch.Wanted) -> ticks.Tick:
        return self._stage.watch.wait_tick(
            self.server.uuid,
            f"{self.plan.name} counting as it should",
            wanted,
            _TICK_TIMEOUT,
        )

    def _last(self, host: str) -> ticks.Tick:
        return self._stage.watch.last_tick(self.server.uuid, host)

    def _run(self, *words: str) -> None:
        servers.must(self._try(*words))

    def _try(self, *words: str) -> servers.Answer:
        with self._stage.steps(f"openstack {shlex.join(words)}"):
            return servers.openstack(*words)
