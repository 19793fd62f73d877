# SPDX-License-Identifier: Apache-2.0
"""What the plugin adds to the Compute API, as an OpenAPI document.

    python -m nova_numa_migrate.api.openapi > doc/source/api/openapi.json

It is made of the schemas that requests and answers are checked with, so that
it says what the code does; a test holds the file against it.
"""

from __future__ import annotations

from collections.abc import Mapping
import json
import sys
from typing import Any

from nova_numa_migrate.api import numa_nodes
from nova_numa_migrate.api import numa_placement
from nova_numa_migrate.api.schemas import migrate_plan
from nova_numa_migrate.api.schemas import migrate_server
from nova_numa_migrate.api.schemas import numa_nodes as node_schemas
from nova_numa_migrate.api.schemas import numa_placement as placement_schemas
from nova_numa_migrate.api.schemas import shapes

#: Of Nova's, to which an action is added and another changed.
ACTION_PATH = '/servers/{server_id}/action'

_REASONS = {
    400: 'The request has another form, or asks for what cannot be.',
    403: 'The policy does not allow it.',
    404: 'There is no such server or host.',
    409: (
        'The server cannot be moved in its present state, or cannot be '
        'checkpointed.'
    ),
    503: 'A dry run needs Placement, which does not answer.',
}

#: The form of Nova's faults: one key, which names the kind.
_FAULT = {
    'type': 'object',
    'minProperties': 1,
    'maxProperties': 1,
    'additionalProperties': {
        'type': 'object',
        'properties': {
            'code': {'type': 'integer'},
            'message': {'type': 'string'},
        },
        'required': ['code', 'message'],
    },
}


def document() -> dict[str, Any]:
    """The document, of OpenAPI 3.1."""
    return {
        'openapi': '3.1.0',
        'info': {
            'title': 'nova-numa-migrate',
            'version': '1',
            'description': (
                "What nova-numa-migrate adds to Nova's Compute API, below "
                'the same endpoint. A hint in a migrate request needs '
                'microversion 2.56 or later.'
            ),
            'license': {'name': 'Apache-2.0', 'identifier': 'Apache-2.0'},
        },
        'paths': {
            f'/{numa_nodes.COLLECTION}': {'get': _list_nodes()},
            f'/{numa_nodes.COLLECTION}/{{host}}': {'get': _show_node()},
            numa_placement.PATH: {'get': _show_placement()},
            ACTION_PATH: {'post': _act()},
        },
    }


def _list_nodes() -> dict[str, Any]:
    return _operation(
        'listNumaHosts',
        'The compute hosts of all cells, each with its NUMA nodes',
        {200: node_schemas.INDEX},
        400,
        403,
        parameters=[
            # Nova's schema is of all values of a name; one is allowed.
            _parameter(name, 'query', schema['items'])
            for name, schema in node_schemas.INDEX_QUERY['properties'].items()
        ],
    )


def _show_node() -> dict[str, Any]:
    return _operation(
        'showNumaHost',
        'One compute host with its NUMA nodes',
        {200: node_schemas.SHOW},
        *(400, 403, 404),
        parameters=[_parameter('host', 'path', shapes.NAME)],
    )


def _show_placement() -> dict[str, Any]:
    return _operation(
        'showNumaPlacement',
        'Where a server was asked to be, claims to be, and is',
        {200: placement_schemas.SHOW},
        *(400, 403, 404),
        parameters=[_parameter('server_id', 'path', shapes.UUID)],
    )


def _act() -> dict[str, Any]:
    body = {'oneOf': [migrate_server.MIGRATE, migrate_plan.PLAN]}
    return {
        **_operation(
            'actOnServer',
            'Migrate a server, or say to which hosts it could be moved',
            {200: migrate_plan.ANSWER, 202: None},
            *(400, 403, 404, 409, 503),
            parameters=[_parameter('server_id', 'path', shapes.UUID)],
        ),
        'requestBody': {'required': True, 'content': _json(body)},
    }


def _operation(
    name: str,
    summary: str,
    answers: Mapping[int, dict[str, Any] | None],
    *errors: int,
    parameters: list[dict[str, Any]],
) -> dict[str, Any]:
    """One operation; an answer without a schema has no body."""
    responses: dict[str, Any] = {
        str(status): {
            'description': 'Accepted.' if schema is None else 'Found.',
            **({} if schema is None else {'content': _json(schema)}),
        }
        for status, schema in answers.items()
    }
    for status in errors:
        responses[str(status)] = {
            'description': _REASONS[status],
            'content': _json(_FAULT),
        }
    return {
        'operationId': name,
        'summary': summary,
        'parameters': parameters,
        'responses': responses,
    }


def _parameter(name: str, place: str, schema: Any) -> dict[str, Any]:
    return {
        'name': name,
        'in': place,
        'required': place == 'path',
        'schema': schema,
    }


def _json(schema: Any) -> dict[str, Any]:
    return {'application/json': {'schema': schema}}


def text() -> str:
    """The document as the file has it."""
    return json.dumps(document(), indent=2) + '\n'


if __name__ == '__main__':
    sys.stdout.write(text())
