# SPDX-License-Identifier: Apache-2.0
"""The answer of ``/servers/{id}/os-numa-placement``."""

from __future__ import annotations

from nova_numa_migrate.api.schemas import shapes
from nova_numa_migrate.hint import CheckpointMode

_ASKED = shapes.exactly(
    {
        'numa_node': {
            'type': 'array',
            'items': shapes.COUNT,
        },
        'numa_checkpoint': {'type': 'string', 'enum': list(CheckpointMode)},
    }
)

_CELL = shapes.exactly(
    {
        'cell': shapes.COUNT,
        'memory_mb': shapes.COUNT,
        'page_size_kb': shapes.or_null(shapes.COUNT),
        'vcpus': shapes.IDS,
        'asked_node': shapes.or_null(shapes.COUNT),
        'claimed_node': shapes.or_null(shapes.COUNT),
        'pinned_cpus': shapes.by_id(shapes.COUNT),
        'pages': shapes.or_null(shapes.by_id(shapes.COUNT)),
        'share': shapes.or_null(
            {'type': 'number', 'minimum': 0, 'maximum': 1}
        ),
    }
)

SHOW = shapes.exactly(
    {
        'numa_placement': shapes.exactly(
            {
                'server_id': shapes.UUID,
                'host': shapes.or_null(shapes.NAME),
                'asked': shapes.or_null(_ASKED),
                'measured': {'enum': ['now', 'after_move', None]},
                'error': shapes.WHY_NOT,
                'cells': {'type': 'array', 'items': _CELL},
            }
        )
    }
)
