# SPDX-License-Identifier: Apache-2.0
"""The moves that are under way on this host, by what the database says."""

from __future__ import annotations

from collections.abc import Collection, Iterator
import contextlib
from typing import Any

from nova import exception
from nova import objects
from nova.compute import task_states
from nova.compute import vm_states
from oslo_concurrency import lockutils
from oslo_log import log as logging

from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State

LOG = logging.getLogger(__name__)

_DELETING = (task_states.DELETING, task_states.SOFT_DELETING)
_DELETED = (vm_states.DELETED, vm_states.SOFT_DELETED)


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


def task_of(context: Any, instance: Any) -> list[str | None]:
    """The server's task, for a save that must not go over another's.

    To be asked before the instance at hand is changed: Nova's handlers save
    whatever is changed in it, and expect nothing.

    :returns: the task in the database, as ``save`` expects it.
    :raises nova.exception.InstanceNotFound: when the server was deleted.
    :raises nova.exception.UnexpectedDeletingTaskStateError: while it is: the
        guest is the delete's.  Nova leaves the task alone at this one.
    """
    known = objects.Instance.get_by_uuid(context, instance.uuid)
    if known.task_state in _DELETING or known.vm_state in _DELETED:
        raise exception.UnexpectedDeletingTaskStateError(
            instance_uuid=instance.uuid,
            expected='a server that is not deleted',
            actual={'task_state': known.task_state, 'state': known.vm_state},
        )
    return [known.task_state]


def save(instance: Any, task: list[str | None]) -> None:
    """Save an instance that has a task from now on, unless it has another.

    :param task: of ``task_of``.
    :raises nova.exception.UnexpectedTaskStateError: when it has; then nobody
        saves what was changed.
    """
    try:
        instance.save(expected_task_state=task)
    except exception.UnexpectedTaskStateError:
        instance.obj_reset_changes()
        raise


def is_busy(step: str, instance: Any) -> bool:
    """Whether this service is at that step right now."""
    try:
        with lockutils.lock(_lock(step, instance), blocking=False):
            return False
    except lockutils.AcquireLockFailedException:
        return True


def _lock(step: str, instance: Any) -> str:
    return f'numa-migrate-{step}-{instance.uuid}'
