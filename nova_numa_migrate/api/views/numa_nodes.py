# SPDX-License-Identifier: Apache-2.0
"""Hosts and their NUMA nodes, as the API shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nova import objects

from nova_numa_migrate import fit
from nova_numa_migrate import reports
from nova_numa_migrate.api import fleet
from nova_numa_migrate.placement import distances


def host(found: fleet.Host) -> dict[str, Any]:
    """One host with its nodes, as ``schemas.numa_nodes.HOST`` has it."""
    shown: dict[str, Any] = {
        'host': found.name,
        'error': found.error,
        'runs_plugin': None,
        'numa_nodes': [],
    }
    if found.node is None:
        return shown
    topology = found.node.numa_topology and (
        objects.NUMATopology.obj_from_db_obj(found.node.numa_topology)
    )
    shown['runs_plugin'] = reports.of(found.node).has_plugin
    if not topology:
        shown['error'] = 'it reports no NUMA topology'
        return shown
    known = distances.of(found.node.stats)
    shown['numa_nodes'] = [
        _node(cell, found, known.get(cell.id)) for cell in topology.cells
    ]
    return shown


def _node(
    cell: Any, found: fleet.Host, known: dict[int, int] | None
) -> dict[str, Any]:
    return {
        'id': cell.id,
        'cpus': {
            'shared': sorted(cell.cpuset),
            'shared_vcpus_used': cell.cpu_usage,
            'dedicated': sorted(cell.pcpuset),
            'dedicated_used': sorted(cell.pinned_cpus),
        },
        'memory_mb': {
            'total': cell.memory,
            'used': cell.memory_usage,
            'free': cell.avail_memory,
        },
        'page_pools': [_pool(pool) for pool in cell.mempages],
        'distances': known
        and {str(node): distance for node, distance in sorted(known.items())},
        'guests': list(_guests(cell.id, found)),
    }


def _pool(pool: Any) -> dict[str, int]:
    # Reading it sets "reserved" where an old report has none.
    free = pool.free
    return {
        'size_kb': pool.size_kb,
        'total': pool.total,
        'used': pool.used,
        'reserved': pool.reserved,
        'free': free,
    }


def _guests(node: int, found: fleet.Host) -> Iterator[dict[str, Any]]:
    for instance in found.guests:
        for number, cell in enumerate(fit.cells_of(instance)):
            if cell.id == node:
                yield {
                    'server_id': instance.uuid,
                    'cell': number if instance.numa_topology else 0,
                    'memory_mb': cell.memory,
                    'vcpus': sorted(cell.total_cpus),
                }
