# SPDX-License-Identifier: Apache-2.0
"""Cells of a table: short for people, whole for programs (``-f json``)."""

from collections.abc import Iterable
import itertools
from typing import Any

from cliff import columns


class Ids(columns.FormattableColumn[list[int]]):
    """Ids, to people as ranges: ``0-3,7``."""

    def human_readable(self) -> str:
        """As in the kernel's lists."""
        return ranges(self._value)


class Pools(columns.FormattableColumn[list[dict[str, int]]]):
    """Page pools, to people as ``2048K: 3 of 4 free``."""

    def human_readable(self) -> str:
        """One line a pool."""
        return '\n'.join(
            f'{pool["size_kb"]}K: {pool["free"]} of {pool["total"]} free'
            for pool in self._value
        )


class Pairs(columns.FormattableColumn[dict[str, Any] | None]):
    """A value for each id, to people as ``0: 9, 1: 10``."""

    def human_readable(self) -> str:
        """In the order of the ids."""
        pairs = sorted((self._value or {}).items(), key=lambda p: int(p[0]))
        return ', '.join(f'{key}: {value}' for key, value in pairs)


class Guests(columns.FormattableColumn[list[dict[str, Any]]]):
    """Guest cells on a node, to people as one line each."""

    def human_readable(self) -> str:
        """Server, cell and memory."""
        return '\n'.join(
            f'{guest["server_id"]} cell {guest["cell"]}: '
            f'{guest["memory_mb"]} MB'
            for guest in self._value
        )


class Percent(columns.FormattableColumn[float | None]):
    """A share from 0 to 1, to people in percent."""

    def human_readable(self) -> str:
        """With one decimal place."""
        return '' if self._value is None else f'{100 * self._value:.1f}%'


class YesNo(columns.FormattableColumn[bool]):
    """A truth."""

    def human_readable(self) -> str:
        """Yes or no."""
        return 'yes' if self._value else 'no'


class Ordered(columns.FormattableColumn[list[int] | None]):
    """Ids in an order that means something, as of a hint: ``3,2``."""

    def human_readable(self) -> str:
        """As a hint has them."""
        return ','.join(map(str, self._value or ()))


class Lines(columns.FormattableColumn[list[str]]):
    """Sentences, to people one a line."""

    def human_readable(self) -> str:
        """One below the other."""
        return '\n'.join(self._value)


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as a text with ranges, ``0-3,7``."""
    runs = itertools.groupby(
        enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0]
    )
    texts = []
    for _, run in runs:
        ids = [number for _, number in run]
        texts.append(f'{ids[0]}-{ids[-1]}' if len(ids) > 1 else str(ids[0]))
    return ','.join(texts)
