# SPDX-License-Identifier: Apache-2.0
"""The dry run's body and answer."""

from __future__ import annotations

from nova.api.validation import parameter_types

from nova_numa_migrate.api.schemas import migrate_server
from nova_numa_migrate.api.schemas import shapes
from nova_numa_migrate.hint import CheckpointMode

ACTION = 'os-numaMigratePlan'

#: As of the migrate action; without nodes any that do are looked for.
PLAN = {
    'type': 'object',
    'properties': {
        ACTION: {
            'type': 'object',
            'properties': {
                'host': shapes.or_null(parameter_types.fqdn),
                migrate_server.HINTS: {
                    **migrate_server.HINTS_SCHEMA,
                    'required': [],
                },
            },
            'additionalProperties': False,
        }
    },
    'required': [ACTION],
    'additionalProperties': False,
}

_NODES = {'type': 'array', 'items': shapes.COUNT}

_HOST = shapes.exactly(
    {
        'host': shapes.NAME,
        'fits': {'type': 'boolean'},
        'numa_node': shapes.or_null(_NODES),
        'reasons': {'type': 'array', 'items': {'type': 'string'}},
    }
)

ANSWER = shapes.exactly(
    {
        'numa_migrate_plan': shapes.exactly(
            {
                'server_id': shapes.UUID,
                'host': shapes.NAME,
                'numa_node': shapes.or_null(_NODES),
                'numa_checkpoint': {
                    'type': 'string',
                    'enum': list(CheckpointMode),
                },
                'hosts': {'type': 'array', 'items': _HOST},
                # Hosts beyond [api] max_limit; the guest fits on none of
                # them unless all that are listed fit.
                'hosts_omitted': shapes.COUNT,
            }
        )
    }
)
