# SPDX-License-Identifier: Apache-2.0
"""Find the nodes for a guest that names none, or prove that there are none.

Exact.  Whether a guest cell fits on a node depends on those two alone (the
CPU of isolated emulator threads is always on the node of cell 0), so a map is
a matching of a bipartite graph.  What ties the nodes together (affinity.py)
depends on which of a few nodes the guest is on: each choice of those is tried
until one does, with a matching that takes exactly these of them.  That is
exponential only in the number of nodes with such an interface or device; it
contains the hitting set problem, for which nothing better is known.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
import itertools

from nova_numa_migrate.placement import affinity
from nova_numa_migrate.placement.affinity import Affinity
from nova_numa_migrate.placement.cells import Guest
from nova_numa_migrate.placement.cells import GuestCell
from nova_numa_migrate.placement.cells import Host
from nova_numa_migrate.placement.cells import HostCell
from nova_numa_migrate.placement.matching import match
from nova_numa_migrate.placement.matching import obstacle
from nova_numa_migrate.placement.reasons import Lack
from nova_numa_migrate.placement.reasons import NoCommonMap
from nova_numa_migrate.placement.reasons import Reason
from nova_numa_migrate.placement.reasons import Refused
from nova_numa_migrate.placement.reasons import Shortage
from nova_numa_migrate.placement.reasons import TooFewNodes
from nova_numa_migrate.placement.shortages import lacks

#: What each node (column) lacks for each guest cell (row).
Table = Sequence[Sequence[Sequence[Lack]]]


def find(
    host: Host, guest: Guest, ties: Sequence[Affinity]
) -> list[HostCell] | Refused:
    """A node for each guest cell that meets the ties, or why there is none."""
    table = _table(host, guest)
    fits = [[not lack for lack in row] for row in table]
    columns = match(fits) if len(fits) <= len(host.cells) else None
    if columns is None:
        return Refused(list(_obstacles(host, table, fits)))
    if affinity.refusals(ties, {host.cells[c].node for c in columns}):
        columns = _match_with_ties(host, fits, ties)
        if columns is None:
            return Refused([_no_common_map(host, table, ties)])
    return [host.cells[column] for column in columns]


def _table(host: Host, guest: Guest) -> Table:
    """Cells that ask the same lack the same, and are asked once."""
    rows: dict[tuple[GuestCell, int], list[list[Lack]]] = {}
    keys = [(c, guest.reserved(i)) for i, c in enumerate(guest.cells)]
    for cell, reserved in dict.fromkeys(keys):
        rows[cell, reserved] = [
            lacks(node, cell, host.ratios, reserved) for node in host.cells
        ]
    return [rows[key] for key in keys]


def _match_with_ties(
    host: Host, fits: list[list[bool]], ties: Sequence[Affinity]
) -> list[int] | None:
    tied = frozenset[int]().union(*(tie.nodes for tie in ties))
    relevant = [c for c, node in enumerate(host.cells) if node.node in tied]
    for chosen in _subsets(relevant, len(fits)):
        nodes = {host.cells[column].node for column in chosen}
        if affinity.refusals(ties, nodes):
            continue
        columns = _match_exactly(fits, chosen, set(relevant) - chosen)
        if columns is not None:
            return columns
    return None


def _subsets(items: list[int], most: int) -> Iterator[Set[int]]:
    for size in range(min(most, len(items)) + 1):
        yield from map(frozenset, itertools.combinations(items, size))


def _match_exactly(
    fits: list[list[bool]], taken: Set[int], shut: Set[int]
) -> list[int] | None:
    """A match with all of the taken columns and none of the shut ones."""
    columns = match(
        [
            [fit and column not in shut for column, fit in enumerate(row)]
            for row in fits
        ],
        taken,
    )
    return columns if columns and taken <= set(columns) else None


def _obstacles(
    host: Host, table: Table, fits: list[list[bool]]
) -> Iterator[Reason]:
    """Sets of guest cells that have too few nodes; together all there are."""
    if len(fits) == 1 and host.cells:
        yield from _shortages(host, table, [0], range(len(host.cells)))
        return
    left = list(range(len(fits)))
    alone = [row for row in left if not any(fits[row])]
    if alone:
        yield _too_few(host, table, alone, set())
        left = [row for row in left if row not in alone]
    while left and (found := obstacle([fits[row] for row in left])):
        rows = [left[row] for row in sorted(found[0])]
        yield _too_few(host, table, rows, found[1])
        left = [row for row in left if row not in rows]


def _too_few(
    host: Host, table: Table, rows: list[int], columns: Set[int]
) -> TooFewNodes:
    others = [c for c in range(len(host.cells)) if c not in columns]
    return TooFewNodes(
        tuple(rows),
        tuple(sorted(host.cells[column].node for column in columns)),
        tuple(_shortages(host, table, rows, others)),
    )


def _no_common_map(
    host: Host, table: Table, ties: Sequence[Affinity]
) -> NoCommonMap:
    tied = frozenset[int]().union(*(tie.nodes for tie in ties))
    columns = [c for c, node in enumerate(host.cells) if node.node in tied]
    return NoCommonMap(
        tuple((tie.what, tuple(sorted(tie.nodes))) for tie in ties),
        tuple(_shortages(host, table, range(len(table)), columns)),
    )


def _shortages(
    host: Host, table: Table, rows: Sequence[int], columns: Sequence[int]
) -> Iterator[Shortage]:
    for column, row in itertools.product(columns, rows):
        for lack in table[row][column]:
            yield Shortage(row, host.cells[column].node, lack)
