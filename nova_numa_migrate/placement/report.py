# SPDX-License-Identifier: Apache-2.0
"""The measured placement of a guest: which pages are on which host node.

The destination measures it after the restore and keeps it with the instance
until the confirm or revert.  Pure: no Nova import.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
import dataclasses
import json
from typing import Any, Self

from nova_numa_migrate import metadata as texts
from nova_numa_migrate.move import MOVE_KEY

#: One key a cell.
_CELL_KEY = MOVE_KEY + '_cell_%d'


@dataclasses.dataclass(frozen=True)
class CellPlacement:
    """The pages of one guest cell.

    ``pages`` counts pages per host node, ``node`` is the node asked for.
    """

    cell: int
    node: int
    pages: dict[int, int]

    @property
    def share(self) -> float:
        """The share of the cell's pages on its node, 0.0 to 1.0.

        1.0 for a cell without any page: nothing of it is elsewhere.
        """
        total = sum(self.pages.values())
        return self.pages.get(self.node, 0) / total if total else 1.0

    def __str__(self) -> str:
        """As for a log: cell, node, share, and the pages per node."""
        pages = ', '.join(f'N{n}={p}' for n, p in sorted(self.pages.items()))
        return (
            f'cell {self.cell} on node {self.node}: {100 * self.share:.1f}% '
            f'({pages or "no pages"})'
        )

    def store(self, metadata: MutableMapping[str, str]) -> None:
        """Write this cell into an instance's system metadata."""
        texts.put(
            metadata,
            _CELL_KEY % self.cell,
            json.dumps(self.to_primitive(), separators=(',', ':')),
        )

    def to_primitive(self) -> dict[str, Any]:
        """For JSON or a message, whose keys are texts."""
        pages = {str(node): count for node, count in self.pages.items()}
        return {'cell': self.cell, 'node': self.node, 'pages': pages}

    @classmethod
    def of_primitive(cls, stored: Mapping[str, Any]) -> Self:
        """From what ``to_primitive`` gave."""
        pages = {int(node): count for node, count in stored['pages'].items()}
        return cls(stored['cell'], stored['node'], pages)

    @classmethod
    def of(cls, metadata: Mapping[str, str], cell: int) -> Self | None:
        """The stored placement of a cell, or None."""
        text = texts.get(metadata, _CELL_KEY % cell)
        if not text:
            return None
        return cls.of_primitive(json.loads(text))
