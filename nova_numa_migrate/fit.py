# SPDX-License-Identifier: Apache-2.0
"""Does a guest fit on exactly the named host cells, in this order?

The scheduler asks it of a host's report and the claim of the host itself,
so it stands in one place.  Nova's own function places the cells: given a
host topology of just the named cells, in the named order, its first attempt
is the identity.  Any other attempt would be a permutation, which is not what
was asked, so a result in another order is no fit.
"""

from __future__ import annotations

from typing import Any

from nova import objects
from nova.virt import hardware

from nova_numa_migrate.hint import NodeMap


def fit_to_nodes(
    host_topology: Any,
    guest_topology: Any,
    node_map: NodeMap,
    **nova_arguments: Any,
) -> Any | None:
    """The guest's topology on the named cells, or None.

    :param host_topology: objects.NUMATopology with the host's usage.
    :param guest_topology: objects.InstanceNUMATopology as requested; it is
        not changed.
    :param nova_arguments: limits, pci_requests, pci_stats and
        provider_mapping of hardware.numa_fit_instance_to_host.
    """
    named = _named_cells(host_topology, node_map)
    if named is None:
        return None
    # The function writes the pinning into its argument.
    fitted = hardware.numa_fit_instance_to_host(
        named, guest_topology.obj_clone(), **nova_arguments
    )
    if not fitted:
        return None
    nodes = tuple(cell.id for cell in fitted.cells)
    return fitted if nodes == node_map.nodes else None


def explain(host_topology: Any, guest_topology: Any, node_map: NodeMap) -> str:
    """What each named node has and each guest cell needs, for people."""
    by_id = {cell.id: cell for cell in host_topology.cells}
    return '; '.join(
        _explain_cell(number, guest, node, by_id.get(node))
        for number, (guest, node) in enumerate(
            zip(guest_topology.cells, node_map.nodes, strict=False)
        )
    )


def _named_cells(host_topology: Any, node_map: NodeMap) -> Any | None:
    by_id = {cell.id: cell for cell in host_topology.cells}
    if not by_id.keys() >= set(node_map.nodes):
        return None
    return objects.NUMATopology(
        cells=[by_id[node].obj_clone() for node in node_map.nodes]
    )


def _explain_cell(number: int, guest: Any, node: int, host: Any) -> str:
    dedicated, shared = len(guest.pcpuset), len(guest.cpuset)
    need = (
        f'cell {number} needs {guest.memory} MiB, {dedicated} dedicated and '
        f'{shared} shared CPUs'
    )
    if host is None:
        return f'{need}; the host has no node {node}'
    return (
        f'{need}; node {node} has {host.avail_memory} of {host.memory} MiB '
        f'free, {len(host.free_pcpus)} dedicated CPUs free and '
        f'{len(host.cpuset)} shared CPUs'
    )
