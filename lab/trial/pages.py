# SPDX-License-Identifier: Apache-2.0
"""Memory and virtual CPUs of a guest are on the nodes that were named."""

import collections
import collections.abc

from lab.damage import guest as lab_guest
from lab.hosts import machine
from lab.hosts import topology
from lab.proof import memory
from lab.proof import moves
from lab.proof import report
from lab.proof import servers

# Of memory that is the guest's; all else of the emulator has another.
_POLICIES = ("bind", "interleave")
# Percent by which equal shares of the pages may differ: the kernel takes
# turns by addresses, of which the guest has not used all.
_UNEVEN = 5.0


def claim(
    stage: moves.Stage,
    guest: lab_guest.Guest,
    host: machine.Host,
    nodes: str,
) -> None:
    """Claim it of each cell of a guest that runs, and print what was found.

    :param nodes: as the hint names them, by position
    """
    asked = [int(node) for node in nodes.split(",")]
    cells = guest.server.cells()
    if not cells:
        _claim_bare(stage, guest, host, asked)
        return
    claimed = [cell.node for cell in cells]
    what = f"{guest.name} on {host.name}"
    stage.verdict.claim(
        claimed == asked, f"{what}: nodes {asked} are claimed: {claimed}"
    )
    measured = memory.measure(host.shell, guest.domain)
    for mib, wanted in _by_size(cells).items():
        areas = _bound(measured, mib)
        found = ", ".join(f"{report.pages(a)} ({a.policy})" for a in areas)
        stage.steps.note(f"{what}: {mib} MiB asked onto {wanted}: {found}")
        stage.verdict.claim(
            sorted(tuple(area.pages) for area in areas)
            == sorted((node,) for node in wanted),
            f"{what}: cells of {mib} MiB have all pages on {wanted}: {found}",
        )
        sizes = {area.page_kib for area in areas}
        stage.verdict.claim(
            sizes == {cells[0].page_kib},
            f"{what}: they have {cells[0].page_kib} KiB each: {sizes}",
        )
    runs = _threads(cells)
    stage.verdict.claim(
        measured.pinning == runs,
        f"{what}: its virtual CPUs run on {runs}: {measured.pinning}",
    )


def _claim_bare(
    stage: moves.Stage,
    guest: lab_guest.Guest,
    host: machine.Host,
    nodes: list[int],
) -> None:
    """Of one without a NUMA topology: its memory is shared out by pages."""
    flavor = guest.show()["flavor"]
    measured = memory.measure(host.shell, guest.domain)
    areas = _bound(measured, flavor["ram"])
    what = f"{guest.name} on {host.name}"
    found = ", ".join(f"{report.pages(a)} ({a.policy})" for a in areas)
    stage.steps.note(f"{what}: {flavor['ram']} MiB over {nodes}: {found}")
    least = 100 / len(nodes) - _UNEVEN
    stage.verdict.claim(
        len(areas) == 1
        and set(areas[0].pages) == set(nodes)
        and all(areas[0].share(node) >= least for node in nodes),
        f"{what}: all pages are on {nodes}, in equal shares: {found}",
    )
    vcpus = int(flavor["vcpus"])
    runs = {
        vcpu: str(topology.cpus(nodes[vcpu * len(nodes) // vcpus])[0])
        for vcpu in range(vcpus)
    }
    stage.verdict.claim(
        measured.pinning == runs,
        f"{what}: its virtual CPUs run on {runs}: {measured.pinning}",
    )


def _by_size(
    cells: collections.abc.Sequence[servers.Cell],
) -> dict[int, list[int]]:
    """Nodes of the cells of each size: those of one size look alike."""
    nodes = collections.defaultdict(list)
    for cell in cells:
        nodes[cell.mib].append(cell.node)
    return dict(nodes)


def _bound(measured: memory.Measured, mib: int) -> list[memory.Area]:
    """The ranges of that size whose pages are bound."""
    return [
        area
        for area in measured.areas
        if area.size == mib << 20 and area.policy.startswith(_POLICIES)
    ]


def _threads(cells: collections.abc.Sequence[servers.Cell]) -> dict[int, str]:
    """CPUs that each virtual CPU may use.

    The lab's guests have one of them in each cell; without a CPU of its own
    it has the shared one of its node.
    """
    return {
        number: str(cell.pinning.get(number, topology.cpus(cell.node)[0]))
        for number, cell in enumerate(cells)
    }
