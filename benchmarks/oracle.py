# SPDX-License-Identifier: Apache-2.0
"""The right answer by trying every map, and whether a reason is true.

Nova's functions for one guest cell on one host node, and for the networks and
devices of a whole guest, each on fresh copies: what is wrong in Nova's fit is
only what it remembers from one attempt to the next.  Its booking is asked as
well: a pinning that it then refuses to book is no fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import itertools
from typing import Any

from nova import exception
from nova import objects
from nova.virt import hardware

from benchmarks.cases import Case

_CANNOT_BOOK = (exception.CPUPinningInvalid, exception.CPUPinningUnknown)


class Oracle:
    """The truth about one case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.nodes = {cell.id: cell for cell in case.host.cells}
        self._cells: dict[tuple[int, int], bool] = {}

    def maps(self) -> Iterator[tuple[int, ...]]:
        """Every ordered choice of nodes for the guest's cells."""
        return itertools.permutations(self.nodes, len(self.case.guest.cells))

    def some_map_fits(self) -> bool:
        """Whether any does."""
        return any(map(self.fits, self.maps()))

    def fits(self, nodes: Sequence[int]) -> bool:
        """Whether the guest fits, its cells on these nodes in this order."""
        return self.cells_fit(nodes) and not self.untied(nodes)

    def cells_fit(self, nodes: Sequence[int]) -> bool:
        """The same, but for networks and devices."""
        return all(
            self.cell_fits(cell, node) for cell, node in enumerate(nodes)
        )

    def cell_fits(self, cell: int, node: int) -> bool:
        """Whether one guest cell fits on one node."""
        if (cell, node) not in self._cells:
            fitted = self.fitted(cell, node)
            self._cells[cell, node] = fitted is not None and any(
                self.can_book([booked]) for booked in _ways(fitted, self, node)
            )
        return self._cells[cell, node]

    def fitted(self, cell: int, node: int) -> Any | None:
        """Nova's fit of one guest cell on one node."""
        guest = self.case.guest
        reserved = int(guest.emulator_threads_isolated and cell == 0)
        try:
            return hardware._numa_fit_instance_cell(
                self.nodes[node].obj_clone(),
                guest.cells[cell].obj_clone(),
                self.case.limits,
                reserved,
            )
        except exception.MemoryPageSizeNotSupported:
            return None

    def can_book(self, cells: list[Any]) -> bool:
        """Whether Nova's books take these cells, and give them back."""
        guest = objects.InstanceNUMATopology(cells=cells)
        try:
            used = hardware.numa_usage_from_instance_numa(
                _with_pools(self.case.host), guest
            )
            free = hardware.numa_usage_from_instance_numa(
                used, guest, free=True
            )
        except _CANNOT_BOOK:
            return False
        return _pinned(free) == _pinned(self.case.host)

    def untied(self, nodes: Sequence[int]) -> bool:
        """Whether networks or devices need other nodes."""
        return self.networks_untied(nodes) or self.devices_untied(nodes)

    def networks_untied(self, nodes: Sequence[int]) -> bool:
        """Whether networks need other nodes."""
        limits = self.case.limits
        if not limits or 'network_metadata' not in limits:
            return False
        return not hardware._numa_cells_support_network_metadata(
            self.case.host,
            [self.nodes[node] for node in nodes],
            limits.network_metadata,
        )

    def devices_untied(self, nodes: Sequence[int]) -> bool:
        """Whether devices need other nodes."""
        case = self.case
        if case.requests is None:
            return False
        cells = [objects.InstanceNUMACell(id=node) for node in nodes]
        return not case.stats.support_requests(
            case.requests.requests, None, cells
        )


def _ways(fitted: Any, oracle: Oracle, node: int) -> Iterator[Any]:
    """Nova's pinning, and it with any other CPU for the emulator.

    Nova may take a thread whose core it then cannot book.
    """
    yield fitted
    if not fitted.cpuset_reserved:
        return
    taken = set(fitted.cpu_pinning.values())
    for cpu in oracle.nodes[node].free_pcpus - taken:
        other = fitted.obj_clone()
        other.cpuset_reserved = {cpu}
        # Nova books whole cores: this one must not be one of the vCPUs'.
        cores = [core for core in oracle.nodes[node].siblings if cpu in core]
        if not any(core & taken for core in cores):
            yield other


def _with_pools(host: Any) -> Any:
    """A copy that can be booked: Nova's books need a pool of pages."""
    copy = host.obj_clone()
    for cell in copy.cells:
        if not cell.mempages:
            pool = objects.NUMAPagesTopology(size_kb=4, total=0, used=0)
            cell.mempages = [pool]
    return copy


def _pinned(host: Any) -> list[set[int]]:
    return [set(cell.pinned_cpus) for cell in host.cells]
