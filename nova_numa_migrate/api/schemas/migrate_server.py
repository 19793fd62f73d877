# SPDX-License-Identifier: Apache-2.0
"""The migrate action's body, with hints in it."""

from __future__ import annotations

import copy
from typing import Any

from nova.api.openstack.compute.schemas import migrate_server

from nova_numa_migrate.hint import CHECKPOINT_HINT
from nova_numa_migrate.hint import NODE_HINT

HINTS = 'os:scheduler_hints'

_TEXT = {'type': 'string', 'maxLength': 16384}

#: ``server create`` takes a hint as a text, or as a list when it was given
#: more than once; so does this.
HINTS_SCHEMA: dict[str, Any] = {
    'type': 'object',
    'properties': {
        NODE_HINT: {
            'oneOf': [
                _TEXT,
                {
                    'type': 'array',
                    'items': _TEXT,
                    'minItems': 1,
                    'maxItems': 1024,
                },
            ]
        },
        CHECKPOINT_HINT: _TEXT,
    },
    'required': [NODE_HINT],
    'additionalProperties': False,
}


def _with_hints(stock: dict[str, Any]) -> dict[str, Any]:
    schema = copy.deepcopy(stock)
    schema['properties']['migrate']['properties'][HINTS] = HINTS_SCHEMA
    return schema


#: Nova's own schema of the action and the hints in it.
MIGRATE = _with_hints(migrate_server.migrate)
