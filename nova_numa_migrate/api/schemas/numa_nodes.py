# SPDX-License-Identifier: Apache-2.0
"""Queries and answers of ``/os-numa-nodes``."""

from __future__ import annotations

from typing import Any

from nova.api.validation import parameter_types

from nova_numa_migrate.api.schemas import shapes

INDEX_QUERY: dict[str, Any] = {
    'type': 'object',
    'properties': {
        'host': parameter_types.single_param(shapes.NAME),
        'limit': parameter_types.single_param(
            parameter_types.non_negative_integer
        ),
        'marker': parameter_types.single_param(shapes.NAME),
    },
    'additionalProperties': False,
}

_GUEST = shapes.exactly(
    {
        'server_id': shapes.UUID,
        'cell': shapes.COUNT,
        'memory_mb': shapes.COUNT,
        'vcpus': shapes.IDS,
    }
)

_NODE = shapes.exactly(
    {
        'id': shapes.COUNT,
        'cpus': shapes.exactly(
            {
                'shared': shapes.IDS,
                'shared_vcpus_used': shapes.COUNT,
                'dedicated': shapes.IDS,
                'dedicated_used': shapes.IDS,
            }
        ),
        # Overcommitted memory leaves less than nothing.
        'memory_mb': shapes.exactly(
            {
                'total': shapes.COUNT,
                'used': shapes.COUNT,
                'free': {'type': 'integer'},
            }
        ),
        'page_pools': {
            'type': 'array',
            'items': shapes.exactly(
                {
                    'size_kb': shapes.COUNT,
                    'total': shapes.COUNT,
                    'used': shapes.COUNT,
                    'reserved': shapes.COUNT,
                    'free': {'type': 'integer'},
                }
            ),
        },
        'distances': shapes.or_null(shapes.by_id(shapes.COUNT)),
        'guests': {'type': 'array', 'items': _GUEST},
    }
)

HOST = shapes.exactly(
    {
        'host': shapes.NAME,
        'error': shapes.WHY_NOT,
        'runs_plugin': {'type': ['boolean', 'null']},
        'numa_nodes': {'type': 'array', 'items': _NODE},
    }
)

_LINK = shapes.exactly(
    {
        'rel': {'type': 'string', 'const': 'next'},
        'href': {'type': 'string', 'format': 'uri'},
    }
)

INDEX = shapes.exactly(
    {
        'numa_hosts': {'type': 'array', 'items': HOST},
        'numa_hosts_links': {'type': 'array', 'items': _LINK},
    },
    'numa_hosts_links',
)

SHOW = shapes.exactly({'numa_host': HOST})
