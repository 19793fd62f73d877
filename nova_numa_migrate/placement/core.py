# SPDX-License-Identifier: Apache-2.0
"""Does a guest fit on a host, on which nodes, and if not: why not? (pure)

Exact: with a map each cell is held against its node, and without one
``search`` finds a map or proves that there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import dataclasses

from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.placement import affinity
from nova_numa_migrate.placement import search
from nova_numa_migrate.placement.affinity import Affinity
from nova_numa_migrate.placement.cells import Guest
from nova_numa_migrate.placement.cells import Host
from nova_numa_migrate.placement.cells import HostCell
from nova_numa_migrate.placement.pinning import pin
from nova_numa_migrate.placement.pinning import Pinning
from nova_numa_migrate.placement.reasons import NoSuchNode
from nova_numa_migrate.placement.reasons import Reason
from nova_numa_migrate.placement.reasons import Refused
from nova_numa_migrate.placement.reasons import Shortage
from nova_numa_migrate.placement.reasons import WrongCount
from nova_numa_migrate.placement.shortages import lacks
from nova_numa_migrate.placement.shortages import page_size


@dataclasses.dataclass(frozen=True, slots=True)
class PlacedCell:
    """Where a guest cell goes: node, KiB of a page, host CPUs.

    ``page_size`` is None for a guest that asks for ordinary memory.
    """

    node: int
    page_size: int | None
    pinning: Pinning


@dataclasses.dataclass(frozen=True, slots=True)
class Fits:
    """The guest fits, cell by cell as here."""

    cells: tuple[PlacedCell, ...]

    @property
    def node_map(self) -> NodeMap:
        """The host node of each guest cell."""
        return NodeMap(tuple(cell.node for cell in self.cells))


def place(
    host: Host,
    guest: Guest,
    node_map: NodeMap | None = None,
    devices: Affinity | None = None,
) -> Fits | Refused:
    """Place a guest on exactly the nodes of a map, or on any that do.

    :param node_map: the host node of each guest cell, None to find one.
    :param devices: what the guest's PCI devices ask, None for no devices.
    """
    ties: list[Affinity] = list(affinity.networks(host.cells, guest))
    if devices is not None:
        ties.append(devices)
    if node_map is None:
        found = search.find(host, guest, ties)
    else:
        found = _check(host, guest, node_map, ties)
    if isinstance(found, Refused):
        return found
    return Fits(tuple(_placed(guest, found)))


def _check(
    host: Host, guest: Guest, node_map: NodeMap, ties: Sequence[Affinity]
) -> list[HostCell] | Refused:
    """The named nodes, or all that is wrong with them."""
    named = node_map.nodes
    if len(named) != len(guest.cells):
        return Refused([WrongCount(len(guest.cells), len(named))])
    by_node = {cell.node: cell for cell in host.cells}
    reasons: list[Reason] = []
    for cell, node in enumerate(named):
        if node in by_node:
            reasons += _shortages(host, guest, cell, by_node[node])
        else:
            reasons.append(NoSuchNode(cell, node, tuple(sorted(by_node))))
    reasons += affinity.refusals(ties, frozenset(named))
    return Refused(reasons) if reasons else [by_node[n] for n in named]


def _shortages(
    host: Host, guest: Guest, cell: int, node: HostCell
) -> Iterator[Shortage]:
    for lack in lacks(
        node, guest.cells[cell], host.ratios, guest.reserved(cell)
    ):
        yield Shortage(cell, node.node, lack)


def _placed(guest: Guest, nodes: Sequence[HostCell]) -> Iterator[PlacedCell]:
    for number, (cell, node) in enumerate(
        zip(guest.cells, nodes, strict=True)
    ):
        yield PlacedCell(
            node.node,
            page_size(node, cell),
            pin(node, cell, guest.reserved(number)),
        )
