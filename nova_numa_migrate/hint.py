# SPDX-License-Identifier: Apache-2.0
"""The words of a hint: text to NodeMap and back.

Everything that can be wrong with the text of ``numa_node`` or
``numa_checkpoint`` is found and worded here, so that the API, the client's
documentation and the tests speak of one grammar.  Pure: neither Nova nor
libvirt is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
import enum
import re
from typing import Self

NODE_HINT = 'numa_node'
CHECKPOINT_HINT = 'numa_checkpoint'

#: The kernel's own ceiling: CONFIG_NODES_SHIFT is at most 10.
MAX_ID = 1023

FORMS = (
    'accepted are "1" (the only guest cell to host node 1), "3,2" (cell 0 to '
    'node 3, cell 1 to node 2) and "0:3,1:2" (the same in pairs); ids are '
    f'decimal, 0 to {MAX_ID}'
)

_ITEM = re.compile(r'(?:(?P<cell>[0-9]{1,4}):)?(?P<node>[0-9]{1,4})')


class InvalidHint(ValueError):
    """A hint that does not say what to do; the text says why."""


class CheckpointMode(enum.StrEnum):
    """What to do with a guest whose state cannot be saved."""

    REQUIRED = 'required'
    PREFERRED = 'preferred'
    NEVER = 'never'

    @classmethod
    def parse(cls, text: str) -> Self:
        """The mode of that name.

        :raises InvalidHint: when there is no mode of that name.
        """
        try:
            return cls(text)
        except ValueError:
            raise InvalidHint(
                f'Invalid {CHECKPOINT_HINT} {_shown(text)}: accepted are '
                f'{", ".join(cls)}'
            ) from None


@dataclasses.dataclass(frozen=True)
class NodeMap:
    """Which host node each guest cell goes to, one to one.

    ``nodes[i]`` is the id of the host node of guest cell ``i``.
    """

    nodes: tuple[int, ...]

    @classmethod
    def parse(cls, hint: str | Sequence[str]) -> Self:
        """Read a hint's value, one text or a list of them.

        :param hint: ``"3,2"``, ``"0:3,1:2"`` or the texts of a repeated
            option, ``["3", "2"]``, which mean their concatenation.
        :raises InvalidHint: with the offending text and the accepted forms.
        """
        text = hint if isinstance(hint, str) else ','.join(hint)
        items = [_parse_item(item, text) for item in text.split(',')]
        nodes = tuple(
            node for _, node in sorted(_by_position(items, text).items())
        )
        _refuse_repeated(nodes, text)
        return cls(nodes)

    def check_cells(self, count: int) -> None:
        """Refuse a map that does not name one node for each guest cell.

        :param count: the number of the guest's cells.
        :raises InvalidHint: when the numbers differ.
        """
        if len(self.nodes) != count:
            raise InvalidHint(
                f'Invalid {NODE_HINT} {_shown(str(self))}: it names '
                f'{len(self.nodes)} host node(s), but the guest has {count} '
                'NUMA cell(s); name exactly one node for each guest cell'
            )

    def __str__(self) -> str:
        """The map in the form by position, the way it is stored."""
        return ','.join(str(node) for node in self.nodes)


def _shown(text: str) -> str:
    """The text as it may go into a message: quoted, and not endless."""
    limit = 64
    return f'"{text[:limit]}..."' if len(text) > limit else f'"{text}"'


def _invalid(text: str, why: str) -> InvalidHint:
    return InvalidHint(f'Invalid {NODE_HINT} {_shown(text)}: {why}; {FORMS}')


def _parse_item(item: str, text: str) -> tuple[int | None, int]:
    """One comma-separated item as (guest cell or None, host node)."""
    match = _ITEM.fullmatch(item)
    if match is None:
        raise _invalid(text, f'{_shown(item)} is not a node')
    cell = None if match['cell'] is None else int(match['cell'])
    node = int(match['node'])
    for number in (cell, node):
        if number is not None and number > MAX_ID:
            raise _invalid(text, f'{number} is out of range')
    return cell, node


def _by_position(
    items: list[tuple[int | None, int]], text: str
) -> dict[int, int]:
    """Guest cell -> host node, whichever of the two forms was written."""
    named = [cell for cell, _ in items if cell is not None]
    if not named:
        return {cell: node for cell, (_, node) in enumerate(items)}
    if len(named) != len(items):
        raise _invalid(text, 'nodes and cell:node pairs are mixed')
    if sorted(named) != list(range(len(items))):
        raise _invalid(
            text,
            f'each guest cell from 0 to {len(items) - 1} must be named '
            'exactly once',
        )
    return {cell: node for cell, node in items if cell is not None}


def _refuse_repeated(nodes: tuple[int, ...], text: str) -> None:
    seen: set[int] = set()
    for node in nodes:
        if node in seen:
            raise _invalid(
                text,
                f'host node {node} is named for two guest cells, but '
                'the placement is one to one',
            )
        seen.add(node)
