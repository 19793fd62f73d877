# SPDX-License-Identifier: Apache-2.0
"""Shapes that the schemas of several resources are made of."""

from __future__ import annotations

from typing import Any

COUNT = {'type': 'integer', 'minimum': 0}
IDS = {'type': 'array', 'items': COUNT, 'uniqueItems': True}
NAME = {'type': 'string', 'minLength': 1, 'maxLength': 255}
UUID = {'type': 'string', 'format': 'uuid'}
#: A text that says why something is not known, null where it is.
WHY_NOT = {'type': ['string', 'null']}

#: The query of a request that takes none.
NO_QUERY: dict[str, Any] = {
    'type': 'object',
    'properties': {},
    'additionalProperties': False,
}


def exactly(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    """An object with these properties and no others."""
    return {
        'type': 'object',
        'properties': properties,
        'required': [name for name in properties if name not in optional],
        'additionalProperties': False,
    }


def or_null(shape: dict[str, Any]) -> dict[str, Any]:
    """The shape, or null."""
    return {'oneOf': [shape, {'type': 'null'}]}


def by_id(shape: dict[str, Any]) -> dict[str, Any]:
    """An object of such shapes, whose names are decimal ids."""
    return {
        'type': 'object',
        'patternProperties': {'^[0-9]+$': shape},
        'additionalProperties': False,
    }
