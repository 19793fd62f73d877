# SPDX-License-Identifier: Apache-2.0
"""Queries and answers of ``/os-numa-nodes``."""

from __future__ import annotations

from typing import Any

from nova.api.validation import parameter_types

_NAME = {'type': 'string', 'minLength': 1, 'maxLength': 255}
_COUNT = {'type': 'integer', 'minimum': 0}
_IDS = {'type': 'array', 'items': _COUNT, 'uniqueItems': True}


def _object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    return {
        'type': 'object',
        'properties': properties,
        'required': [name for name in properties if name not in optional],
        'additionalProperties': False,
    }


INDEX_QUERY: dict[str, Any] = {
    'type': 'object',
    'properties': {
        'host': parameter_types.single_param(_NAME),
        'limit': parameter_types.single_param(
            parameter_types.non_negative_integer
        ),
        'marker': parameter_types.single_param(_NAME),
    },
    'additionalProperties': False,
}

SHOW_QUERY: dict[str, Any] = {
    'type': 'object',
    'properties': {},
    'additionalProperties': False,
}

_GUEST = _object(
    {
        'server_id': {'type': 'string', 'format': 'uuid'},
        'cell': _COUNT,
        'memory_mb': _COUNT,
        'vcpus': _IDS,
    }
)

_NODE = _object(
    {
        'id': _COUNT,
        'cpus': _object(
            {
                'shared': _IDS,
                'shared_vcpus_used': _COUNT,
                'dedicated': _IDS,
                'dedicated_used': _IDS,
            }
        ),
        # Overcommitted memory leaves less than nothing.
        'memory_mb': _object(
            {'total': _COUNT, 'used': _COUNT, 'free': {'type': 'integer'}}
        ),
        'page_pools': {
            'type': 'array',
            'items': _object(
                {
                    'size_kb': _COUNT,
                    'total': _COUNT,
                    'used': _COUNT,
                    'reserved': _COUNT,
                    'free': {'type': 'integer'},
                }
            ),
        },
        'distances': {
            'type': ['object', 'null'],
            'additionalProperties': _COUNT,
        },
        'guests': {'type': 'array', 'items': _GUEST},
    }
)

HOST = _object(
    {
        'host': _NAME,
        # Why nothing, or not all, is known of it.
        'error': {'type': ['string', 'null']},
        'runs_plugin': {'type': ['boolean', 'null']},
        'numa_nodes': {'type': 'array', 'items': _NODE},
    }
)

_LINK = _object(
    {
        'rel': {'type': 'string', 'const': 'next'},
        'href': {'type': 'string', 'format': 'uri'},
    }
)

INDEX = _object(
    {
        'numa_hosts': {'type': 'array', 'items': HOST},
        'numa_hosts_links': {'type': 'array', 'items': _LINK},
    },
    'numa_hosts_links',
)

SHOW = _object({'numa_host': HOST})
