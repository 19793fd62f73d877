# SPDX-License-Identifier: Apache-2.0
"""The moves that are under way on this host, by what the database says."""

from __future__ import annotations

from collections.abc import Collection, Iterator
import contextlib
from typing import Any

from nova import objects
from oslo_concurrency import lockutils
from oslo_log import log as logging

from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State

LOG = logging.getLogger(__name__)


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


def request_spec(context: Any, instance: Any) -> Any:
    """What a message would have of the server's request, or None.

    It is in the API's database, which a cell's services need not reach.  All
    that Nova makes of it here is which resource provider serves a port that
    requests resources; without it Nova goes on (_get_request_group_mapping
    and _fill_provider_mapping_based_on_allocs take None), and fails for such
    a port alone.
    """
    try:
        return objects.RequestSpec.get_by_instance_uuid(context, instance.uuid)
    except Exception as error:
        LOG.warning(
            'The request of the server cannot be read from this cell, and '
            'its move goes on without: %s',
            error,
            instance=instance,
        )
        return None


@contextlib.contextmanager
def once(
    step: str, context: Any, instance: Any, migration: Any, task: str
) -> Iterator[bool]:
    """Whether a step of a migration is to be done yet; nobody else begins.

    By the database, which the instance at hand may be older than.

    :param step: its name, for the lock.
    :param task: the task state that the instance has until it is done.
    """
    with lockutils.lock(_lock(step, instance)):
        known = objects.Instance.get_by_uuid(
            context, instance.uuid, expected_attrs=['system_metadata']
        )
        due = (
            known.task_state == task
            and Move.of(known.system_metadata, migration.uuid) is not None
        )
        if not due:
            LOG.info(
                'The %(step)s of migration %(migration)s is not to be done '
                'here any more: it was asked for once more',
                {'step': step, 'migration': migration.uuid},
                instance=instance,
            )
        yield due


def is_busy(step: str, instance: Any) -> bool:
    """Whether this service is at that step right now."""
    try:
        with lockutils.lock(_lock(step, instance), blocking=False):
            return False
    except lockutils.AcquireLockFailedException:
        return True


def _lock(step: str, instance: Any) -> str:
    return f'numa-migrate-{step}-{instance.uuid}'
