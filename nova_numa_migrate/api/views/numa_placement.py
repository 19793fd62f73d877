# SPDX-License-Identifier: Apache-2.0
"""Where a server was asked to be, where it claims to be, and where it is."""

from __future__ import annotations

from typing import Any

from nova.compute import vm_states

from nova_numa_migrate import fit
from nova_numa_migrate.api.measurement import Measurement
from nova_numa_migrate.move import Move
from nova_numa_migrate.placement.report import CellPlacement


def placement(instance: Any, measurement: Measurement) -> dict[str, Any]:
    """As ``schemas.numa_placement.SHOW`` has it.

    :param instance: objects.Instance with its NUMA topology and metadata.
    """
    move = None if _is_settled(instance) else Move.of(instance.system_metadata)
    asked = move.node_map.nodes if move else ()
    found = {cell.cell: cell for cell in measurement.cells}
    return {
        'server_id': instance.uuid,
        'host': instance.host,
        'asked': move
        and {
            'numa_node': list(move.node_map.nodes),
            'numa_checkpoint': move.checkpoint,
        },
        'measured': measurement.when,
        'error': measurement.error,
        'cells': [
            _cell(
                # The shares of a bare guest are one cell's.
                number if instance.numa_topology else 0,
                cell,
                # A bare guest may be on its way to more or fewer nodes.
                asked[number] if number < len(asked) else None,
                # Elsewhere than on a host there is no node.
                cell.id if instance.host else None,
                found.get(number),
            )
            for number, cell in enumerate(fit.cells_of(instance))
        ],
    }


def _is_settled(instance: Any) -> bool:
    """Whether no move is under way, nor to be confirmed.

    A source without the plugin leaves what was known of the move.
    """
    return instance.task_state is None and instance.vm_state in (
        vm_states.ACTIVE,
        vm_states.STOPPED,
    )


def _cell(
    number: int,
    cell: Any,
    asked: int | None,
    claimed: int | None,
    found: CellPlacement | None,
) -> dict[str, Any]:
    return {
        'cell': number,
        'memory_mb': cell.memory,
        'page_size_kb': _page_size(cell.pagesize),
        'vcpus': sorted(cell.total_cpus),
        'asked_node': asked,
        'claimed_node': claimed,
        'pinned_cpus': {
            str(vcpu): cpu
            for vcpu, cpu in sorted((cell.cpu_pinning or {}).items())
        },
        'pages': found
        and {str(node): pages for node, pages in sorted(found.pages.items())},
        'share': found and found.share,
    }


def _page_size(stored: int | None) -> int | None:
    """KiB; Nova has codes below zero where no host has decided the size."""
    return stored if stored is not None and stored > 0 else None
