# SPDX-License-Identifier: Apache-2.0
"""The moves that are under way on this host, by what the database says."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from nova import objects

from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State


def moves(
    manager: Any,
    context: Any,
    tasks: list[str],
    states: Collection[State],
    attributes: list[str],
) -> Iterator[tuple[Any, Move]]:
    """Each instance of this host that is on such a move, and the move.

    :param tasks: the task states of the instances.
    :param states: those of the moves.
    :param attributes: to load with each instance.
    """
    for instance in objects.InstanceList.get_by_filters(
        context,
        {'host': manager.host, 'task_state': tasks, 'deleted': False},
        expected_attrs=attributes,
    ):
        move = Move.of(instance.system_metadata)
        if move is not None and move.state in states:
            yield instance, move
