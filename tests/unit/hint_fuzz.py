# SPDX-License-Identifier: Apache-2.0
"""Hints that somebody might write, held against the grammar told anew.

Half of them are right and then changed in a few places, so that they are
nearly right; what the parser accepts must be what the grammar of the
documentation accepts, with the same meaning, and all else a plain refusal::

    python -m tests.unit.hint_fuzz COUNT [SEED]
"""

from __future__ import annotations

import collections
from collections.abc import Iterator
import random
import sys

from nova_numa_migrate import hint

# Digits of other scripts are digits to int(), and not to us.
_ALPHABET = '0123456789,,::;.-+ \t\n_xXaé٣\uff10²\0\ud800'


def hints(count: int, seed: int) -> Iterator[str]:
    """So many texts, always the same ones for a seed."""
    source = random.Random(seed)
    for _ in range(count):
        yield _changed(source, _right(source))


def meaning(text: str) -> tuple[int, ...] | None:
    """The host node of each guest cell, None for what is no hint."""
    pairs = []
    for position, item in enumerate(text.split(',')):
        cell, colon, node = item.rpartition(':')
        if not _is_id(node) or (colon and not _is_id(cell)):
            return None
        pairs.append(
            (int(cell) if colon else position, int(node), bool(colon))
        )
    cells, nodes, named = zip(*sorted(pairs), strict=True)
    if len(set(named)) > 1 or len(set(nodes)) < len(nodes):
        return None
    return nodes if cells == tuple(range(len(cells))) else None


def outcome(text: str) -> str:
    """``accepted`` or ``refused``, the same by the parser and the grammar.

    :raises AssertionError: when they differ.
    """
    expected = meaning(text)
    try:
        nodes = hint.NodeMap.parse(text).nodes
    except hint.InvalidHint:
        nodes = None
    if nodes != expected:
        raise AssertionError(f'{text!r}: {nodes}, and not {expected}')
    return 'refused' if nodes is None else 'accepted'


def _is_id(text: str) -> bool:
    return (1 <= len(text) <= 4 and set(text) <= set('0123456789')) and int(
        text
    ) <= 1023


def _right(source: random.Random) -> str:
    count = source.choice((1, 1, 2, 2, 3, 4, 8))
    nodes = source.sample(range(source.choice((8, 16, 1024))), count)
    if source.random() < 0.5:
        return ','.join(map(str, nodes))
    pairs = [f'{cell}:{node}' for cell, node in enumerate(nodes)]
    source.shuffle(pairs)
    return ','.join(pairs)


def _changed(source: random.Random, text: str) -> str:
    characters = list(text)
    for _ in range(source.choice((0, 1, 1, 2, 5))):
        place = source.randrange(len(characters) + 1)
        length = source.choice((0, 1))
        new = source.choice((source.choice(_ALPHABET), ''))
        characters[place : place + length] = new
    return ''.join(characters)


def main(count: str, seed: str = '0') -> int:
    """Try them, and say what came of them."""
    found = collections.Counter(map(outcome, hints(int(count), int(seed))))
    sys.stdout.write(f'{count} hints, seed {seed}: {dict(found)}\n')
    return 0 if found['accepted'] and found['refused'] else 1


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
