# SPDX-License-Identifier: Apache-2.0
"""Does a guest fit on exactly the named host nodes? Nova's objects, our core.

The scheduler asks it of a host's report and the claim of the host itself, so
it stands in one place.  The decision, the pinning and the reasons are
``placement.core``'s; this room turns Nova's objects into its and back.
Nova's own, hardware.numa_fit_instance_to_host, is not asked: it remembers by
guest cells whose ids it changes as it goes, so that it refuses guests that
fit, accepts some that do not, and pins cells to CPUs of other nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any

from nova import objects
from nova.virt import hardware

from nova_numa_migrate.binding import Binding
from nova_numa_migrate.binding import shares
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.placement import cells
from nova_numa_migrate.placement import core
from nova_numa_migrate.placement import room
from nova_numa_migrate.placement.affinity import Affinity
from nova_numa_migrate.placement.reasons import NoDevices
from nova_numa_migrate.placement.reasons import Refused

_PAGES = {
    hardware.MEMPAGES_SMALL: cells.Pages.SMALL,
    hardware.MEMPAGES_LARGE: cells.Pages.LARGE,
    hardware.MEMPAGES_ANY: cells.Pages.ANY,
}

#: Where neither a cell nor a device is.
_NO_NODE = -1


def decide(
    host_topology: Any,
    guest_topology: Any,
    node_map: NodeMap | None,
    limits: Any = None,
    devices: Affinity | None = None,
) -> core.Fits | Refused:
    """Whether the guest fits, and how; neither argument is changed.

    :param host_topology: objects.NUMATopology with the host's usage.
    :param guest_topology: objects.InstanceNUMATopology, see requested.
    :param node_map: None for whichever nodes do.
    :param limits: objects.NUMATopologyLimits, or None for no limits.
    """
    guest = _guest(guest_topology, limits)
    looked_at = host_topology.cells
    if node_map and not guest.physnets and not guest.tunneled:
        looked_at = _named(looked_at, node_map)
    return core.place(_host(looked_at, limits), guest, node_map, devices)


def decide_stored(
    host_cells: Sequence[cells.HostCell],
    guest_topology: Any,
    node_map: NodeMap | None,
    limits: Any = None,
    devices: Affinity | None = None,
) -> core.Fits | Refused:
    """The same of a host whose report was read as it is stored.

    :param host_cells: of placement.stored, which is faster than Nova's
        objects by far.
    """
    host = cells.Host(host_cells, _ratios(limits))
    guest = _guest(guest_topology, limits)
    return core.place(host, guest, node_map, devices)


def claimed(guest_topology: Any, fits: core.Fits) -> Any:
    """The guest's topology on the nodes where it fits, as Nova books it.

    :param guest_topology: objects.InstanceNUMATopology as requested.
    """
    result = guest_topology.obj_clone()
    for cell, placed in zip(result.cells, fits.cells, strict=True):
        cell.id = placed.node
        cell.pagesize = placed.page_size
        cell.cpu_pinning = placed.pinning.vcpus or None
        cell.cpuset_reserved = set(placed.pinning.emulator) or None
    return result


def bare(flavor: Any, nodes: Sequence[int]) -> Any:
    """A bare guest's shares of host nodes, as if each were a cell of its own.

    It is decided on by that, and Nova books nothing of it.

    :param flavor: objects.Flavor.
    :returns: objects.InstanceNUMATopology on these nodes.
    """
    return objects.InstanceNUMATopology(
        cells=[
            objects.InstanceNUMACell(
                id=share.node,
                cpuset=set(share.vcpus),
                pcpuset=set(),
                memory=share.memory,
            )
            for share in shares(nodes, flavor.vcpus, flavor.memory_mb)
        ]
    )


def requested(topology: Any, flavor: Any, node_map: NodeMap | None) -> Any:
    """What a guest asks of the nodes of a map.

    :param topology: objects.InstanceNUMATopology; None for a bare guest.
    :param node_map: None for whichever nodes do.
    """
    if topology is not None:
        return topology
    return bare(flavor, node_map.nodes if node_map else (0,))


def cells_of(instance: Any) -> Sequence[Any]:
    """Where a guest is: objects.InstanceNUMACell, each with a host node.

    :param instance: objects.Instance; none where it is bare and not bound.
    """
    if instance.numa_topology is not None:
        cells: Sequence[Any] = instance.numa_topology.cells
        return cells
    bound = Binding.of(instance.system_metadata, instance.host)
    return bare(instance.flavor, bound.nodes).cells if bound else ()


def needs(cells: Iterable[Any]) -> list[room.Need]:
    """The memory of cells that are placed on a host.

    :param cells: objects.InstanceNUMACell, each with a host node.
    """
    return [
        room.Need(
            cell.id, cell.memory * 1024, cell.pagesize or room.BASE_PAGE_KIB
        )
        for cell in cells
    ]


def limits_of(host: Any, spec: Any) -> Any:
    """objects.NUMATopologyLimits of a host for a request.

    :param host: has the allocation ratios: objects.ComputeNode or the
        scheduler's HostState.
    :param spec: objects.RequestSpec.
    """
    limits = objects.NUMATopologyLimits(
        cpu_allocation_ratio=host.cpu_allocation_ratio,
        ram_allocation_ratio=host.ram_allocation_ratio,
    )
    if 'network_metadata' in spec and spec.network_metadata:
        limits.network_metadata = spec.network_metadata
    return limits


def guest_of(topology: Any, networks: Any = None) -> cells.Guest:
    """A guest as the core sees it.

    :param topology: objects.InstanceNUMATopology.
    :param networks: objects.NetworkMetadata of its ports, or None.
    """
    return cells.Guest(
        [_guest_cell(cell) for cell in topology.cells],
        topology.emulator_threads_isolated,
        *_networks(networks),
    )


class PciDevices:
    """What the guest's PCI devices ask of its nodes: Nova's own answer."""

    what = 'PCI devices'

    def __init__(
        self, requests: Sequence[Any], stats: Any, mapping: Any
    ) -> None:
        """Of objects.InstancePCIRequest, pci.stats.PciDeviceStats.

        :param mapping: the allocation candidate's, None once the requests
            carry their own, after the scheduler.
        """
        self._requests = requests
        self._stats = stats
        self._mapping = mapping

    @classmethod
    def of(cls, requests: Any, stats: Any, mapping: Any) -> PciDevices | None:
        """None where Nova asks nothing either: no requests, or no stats.

        :param requests: objects.InstancePCIRequests or None.
        """
        if not requests or not requests.requests or not stats:
            return None
        return cls(requests.requests, stats, mapping)

    @property
    def nodes(self) -> Set[int]:
        """Nodes with devices, and those of the same sockets."""
        nodes = {pool['numa_node'] for pool in self._stats.pools}
        topology = self._stats.numa_topology
        there = topology.cells if topology else ()
        sockets = {cell.socket for cell in there if cell.id in nodes}
        near = {cell.id for cell in there if cell.socket in sockets}
        return frozenset(near | nodes - {None})

    def refusal(self, chosen: Set[int]) -> NoDevices | None:
        """None when all devices are to be had for those nodes."""
        # To Nova a guest without cells may have the devices of any node.
        nodes = chosen or {_NO_NODE}
        guest = [objects.InstanceNUMACell(id=node) for node in nodes]
        if self._stats.support_requests(self._requests, self._mapping, guest):
            return None
        return NoDevices(tuple(sorted(chosen)))


def _named(nodes: Sequence[Any], node_map: NodeMap) -> Sequence[Any]:
    """Without networks no other nodes matter, and to turn them takes time."""
    found = [node for node in nodes if node.id in node_map.nodes]
    # All of them are told to whoever names one that is not there.
    return found if len(found) == len(node_map.nodes) else nodes


def _guest(topology: Any, limits: Any) -> cells.Guest:
    networks = (
        limits.network_metadata
        if limits and 'network_metadata' in limits
        else None
    )
    return guest_of(topology, networks)


def _host(nodes: Sequence[Any], limits: Any) -> cells.Host:
    return cells.Host([_host_cell(node) for node in nodes], _ratios(limits))


def _ratios(limits: Any) -> cells.Ratios | None:
    return limits and cells.Ratios(
        limits.cpu_allocation_ratio, limits.ram_allocation_ratio
    )


def _host_cell(cell: Any) -> cells.HostCell:
    shared, dedicated, siblings = cell.cpuset, cell.pcpuset, cell.siblings
    networks = cell.network_metadata if 'network_metadata' in cell else None
    return cells.HostCell(
        cell.id,
        len(shared),
        cell.cpu_usage,
        # A CPU of no core is one that Nova never pins to.
        (dedicated - cell.pinned_cpus) & set().union(*siblings),
        siblings,
        shared == dedicated,
        cell.memory,
        cell.memory_usage,
        sorted(map(_pool, cell.mempages), reverse=True),
        *_networks(networks),
    )


def _pool(pool: Any) -> cells.PagePool:
    # An old report may not say it, and Nova's property would write it.
    reserved = pool.reserved if 'reserved' in pool else 0
    return cells.PagePool(
        pool.size_kb, pool.total, pool.total - pool.used - reserved
    )


def _guest_cell(cell: Any) -> cells.GuestCell:
    threads, pages = cell.cpu_thread_policy, cell.pagesize
    return cells.GuestCell(
        cell.memory,
        cells.CpuPolicy(cell.cpu_policy or cells.CpuPolicy.SHARED),
        len(cell.cpuset),
        frozenset(cell.pcpuset),
        threads and cells.ThreadPolicy(threads),
        _PAGES.get(pages, pages or None),
    )


def _networks(metadata: Any) -> tuple[Set[str], bool]:
    """Physical networks, and whether there is a tunnelled one."""
    if not metadata:
        return frozenset(), False
    return (
        metadata.physnets if 'physnets' in metadata else frozenset(),
        'tunneled' in metadata and metadata.tunneled,
    )
