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
from oslo_utils import timeutils
import tenacity

from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State

LOG = logging.getLogger(__name__)

#: Seconds between two questions to a database that is silent, and in all.
_POLL, _SILENCE = 2.0, 300.0

#: Somebody has deleted the server, or reset its state: it is theirs.
TAKEN_AWAY = (exception.InstanceNotFound, exception.UnexpectedTaskStateError)

_DELETING = (task_states.DELETING, task_states.SOFT_DELETING)
_DELETED = (vm_states.DELETED, vm_states.SOFT_DELETED)


def moves(
    manager: Any,
    context: Any,
    tasks: list[str] | None,
    states: Collection[State],
    attributes: list[str],
) -> Iterator[tuple[Any, Move]]:
    """Each instance of this host that is on such a move, and the move.

    :param tasks: the task states of the instances; None has those without.
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
    with at(step, instance):
        found = objects.Instance.get_by_uuid(
            context, instance.uuid, expected_attrs=['system_metadata']
        )
        due = (
            found.task_state == task
            and Move.of(found.system_metadata, migration.uuid) is not None
        )
        if not due:
            LOG.info(
                'The %(step)s of migration %(migration)s is not to be done '
                'here any more: it was asked for once more',
                {'step': step, 'migration': migration.uuid},
                instance=instance,
            )
        yield due


def known(context: Any, instance: Any, **more: Any) -> Any:
    """The server as the database has it.

    One that does not answer may be what a move failed of: it is asked again,
    for without its answer neither host may go on with the guest.

    :raises nova.exception.InstanceNotFound: when the server was deleted.
    :raises Exception: when it does not answer for minutes.
    """
    return tenacity.Retrying(
        stop=tenacity.stop_after_delay(_SILENCE),
        wait=tenacity.wait_fixed(_POLL),
        retry=tenacity.retry_if_exception_type(Exception)
        & tenacity.retry_if_not_exception_type(exception.InstanceNotFound),
        reraise=True,
    )(objects.Instance.get_by_uuid, context, instance.uuid, **more)


def task_of(context: Any, instance: Any) -> list[str | None]:
    """The server's task, for a save that must not go over another's.

    To be asked before the instance at hand is changed: Nova's handlers save
    whatever is changed in it, and expect nothing.

    :returns: the task in the database, as ``save`` expects it.
    :raises nova.exception.InstanceNotFound: when the server was deleted.
    :raises nova.exception.UnexpectedDeletingTaskStateError: while it is: the
        guest is the delete's.  Nova leaves the task alone at this one.
    :raises Exception: when the database does not answer for minutes.
    """
    found = known(context, instance)
    if found.task_state in _DELETING or found.vm_state in _DELETED:
        raise exception.UnexpectedDeletingTaskStateError(
            instance_uuid=instance.uuid,
            expected='a server that is not deleted',
            actual={'task_state': found.task_state, 'state': found.vm_state},
        )
    return [found.task_state]


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


def at(step: str, instance: Any) -> contextlib.AbstractContextManager[Any]:
    """While in it, this service is at that step, and nobody else begins."""
    held: contextlib.AbstractContextManager[Any] = lockutils.lock(
        _lock(step, instance)
    )
    return held


def is_left(step: str, instance: Any, patience: int) -> bool:
    """Whether nobody here is at that step, and nothing has come of it.

    :param patience: in seconds.
    """
    return bool(
        timeutils.is_older_than(instance.updated_at, patience)
    ) and not is_busy(step, instance)


def is_busy(step: str, instance: Any) -> bool:
    """Whether this service is at that step right now."""
    try:
        with lockutils.lock(_lock(step, instance), blocking=False):
            return False
    except lockutils.AcquireLockFailedException:
        return True


def _lock(step: str, instance: Any) -> str:
    return f'numa-migrate-{step}-{instance.uuid}'
