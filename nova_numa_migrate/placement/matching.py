# SPDX-License-Identifier: Apache-2.0
"""Rows to columns, one to one: guest cells to the nodes that fit (pure).

scipy's linear_sum_assignment: it takes a small matrix as it is and solves it
in 2 to 20 us, a tenth of what networkx or scipy.sparse take to make a graph
of it, and its costs tell which columns are wanted.  Its import takes half a
second and 50 MiB, so it is imported when a map has to be found: a hint names
its map.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
import functools
from typing import Any

Fits = Sequence[Sequence[bool]]

#: Costs: more than any number of columns, and more than any sum of those.
_UNWANTED = 1 << 11
_NO_FIT = 1 << 24


def match(fits: Fits, wanted: Set[int] = frozenset()) -> list[int] | None:
    """A column for each row on which it fits, no column twice, or None.

    As many of the wanted columns as can be are among them, so all of them are
    if there is such a choice; and then the first columns.

    :param fits: at most as many rows as columns, at most 1024 columns.
    """
    costs = [
        column if column in wanted else _UNWANTED + column
        for column in range(len(fits[0]))
    ]
    columns = _assign(
        [
            [
                cost if fit else _NO_FIT
                for cost, fit in zip(costs, row, strict=True)
            ]
            for row in fits
        ]
    )
    if all(row[columns[number]] for number, row in enumerate(fits)):
        return [columns[number] for number in range(len(fits))]
    return None


def obstacle(fits: Fits) -> tuple[Set[int], Set[int]] | None:
    """Rows that fit on fewer columns than they are, and those columns.

    None where each row can have a column.  They are found from a row that a
    largest matching leaves out: what it could have another row has, which
    could have others, and so on.  None of all these columns is free, or there
    were a larger matching.
    """
    assigned = _assign([[int(not fit) for fit in row] for row in fits])
    owners = {c: r for r, c in assigned.items() if fits[r][c]}
    left = set(range(len(fits))) - set(owners.values())
    if not left:
        return None
    rows, columns = {left.pop()}, set[int]()
    while new := {
        column
        for row in rows
        for column, fit in enumerate(fits[row])
        if fit and column not in columns
    }:
        columns |= new
        rows |= {owners[column] for column in new}
    return rows, columns


def _assign(costs: list[list[int]]) -> dict[int, int]:
    """Columns by their rows, at the least cost of all."""
    rows, columns = _linear_sum_assignment()(costs)
    return dict(zip(rows.tolist(), columns.tolist(), strict=True))


@functools.cache
def _linear_sum_assignment() -> Any:
    from scipy import optimize

    return optimize.linear_sum_assignment
