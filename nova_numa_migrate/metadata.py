# SPDX-License-Identifier: Apache-2.0
"""Texts of any length in an instance's system metadata.

A value there holds at most 255 characters, and a longer one fails the save of
the whole instance, at times when its guest already runs elsewhere.  So a text
that is longer goes on under further keys: ``key``, ``key.1``, ``key.2``...
Pure: no Nova import.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
import itertools

#: The width of the columns ``instance_system_metadata.key`` and ``.value``.
LIMIT = 255


def put(metadata: MutableMapping[str, str], key: str, text: str) -> None:
    """Write a text that is not empty, in the place of the one before."""
    remove(metadata, key)
    for number, start in enumerate(range(0, len(text), LIMIT)):
        metadata[_key(key, number)] = text[start : start + LIMIT]


def remove(metadata: MutableMapping[str, str], key: str) -> None:
    """Take the text away that was put there, if there is one."""
    for old in list(_keys(metadata, key)):
        del metadata[old]


def get(metadata: Mapping[str, str], key: str) -> str | None:
    """The text that was put there, or None."""
    return ''.join(metadata[k] for k in _keys(metadata, key)) or None


def _keys(metadata: Mapping[str, str], key: str) -> Iterator[str]:
    """The keys that are there, in the order of the text."""
    numbered = (_key(key, number) for number in itertools.count())
    return itertools.takewhile(metadata.__contains__, numbered)


def _key(key: str, number: int) -> str:
    return f'{key}.{number}' if number else key
