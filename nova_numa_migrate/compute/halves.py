# SPDX-License-Identifier: Apache-2.0
"""The two halves of a revert, each done once and to its end.

In the first the destination ends the guest, in the second the source has it
go on.  Between the two it runs nowhere.  Where something fails there (Cinder
does not answer, a service dies, a message is lost), Nova leaves the server in
error on the destination, and no request brings it home from there.  Here the
revert goes on: it is taken up where it stopped, when the service starts and
every minute.

What is in the database says how far it came: the first half ends as the server
is the source's again, and its migration is ``reverted``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
from typing import Any

from nova import exception
from nova import objects
from nova.compute import task_states
from nova.compute import vm_states
from oslo_log import log as logging

from nova_numa_migrate.compute import revert
from nova_numa_migrate.compute import under_way
from nova_numa_migrate.compute import way_home
from nova_numa_migrate.exception import NotBroughtBack
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State

LOG = logging.getLogger(__name__)

_TASK = task_states.RESIZE_REVERTING
_FIRST, _SECOND = 'revert', 'return'

#: Of a migration whose first half is not done; of one on one host, an error
#: of the second counts as well: nothing is lost by doing it again.
_BEFORE_FIRST = ('reverting', 'error')


@contextlib.contextmanager
def first(
    manager: Any, context: Any, instance: Any, migration: Any
) -> Iterator[bool]:
    """On the destination: whether the first half is to be done.

    One that fails when the guest has ended is taken up later; while the guest
    runs, the server is as it was before the revert.
    """
    with under_way.once(_FIRST, context, instance, migration, _TASK) as due:
        due = due and _is_first_due(manager, context, instance, migration)
        try:
            yield due
        except under_way.TAKEN_AWAY:
            raise
        except Exception as error:
            if revert.runs(manager.driver, instance):
                LOG.exception('The guest runs on here', instance=instance)
                revert.call_off(manager, context, instance, migration, error)
                return
            # Set where the server is handed over, see the tracker's
            # _hand_home; one that stays on its host is handed over twice.
            has_left = instance.host != manager.host
            status = 'reverted' if has_left else 'reverting'
            _leave(context, instance, migration, status)


@contextlib.contextmanager
def second(
    manager: Any, context: Any, instance: Any, migration: Any
) -> Iterator[bool]:
    """On the source: whether the second half is to be done.

    One that fails before it came to the guest, or when that goes on, is taken
    up later.

    :raises Exception: of one that failed in bringing the guest back, or where
        there is no state to be brought back.
    """
    with under_way.once(_SECOND, context, instance, migration, _TASK) as due:
        if due:
            _end_first(context, migration)
            manager.driver.begin_return(instance)
        move = Move.of(instance.system_metadata, migration.uuid)
        try:
            yield due
        except (*under_way.TAKEN_AWAY, NotBroughtBack):
            raise
        except Exception:
            if not manager.driver.has_pending_state(instance):
                if move is None or not revert.runs(manager.driver, instance):
                    raise
                # Nova's end has had it forgotten; it goes on from nothing.
                move.with_state(State.RESTORED).store(instance.system_metadata)
            # Nova forgets them at the end, however that was.
            instance.old_flavor = instance.new_flavor = instance.flavor
            _leave(context, instance, migration, 'reverted')
        finally:
            # Its memory was held for it, see acceptance.
            manager.rt.arrived(instance.uuid)


def give_back(
    manager: Any,
    context: Any,
    instance: Any,
    migration: Any,
    revert_it: Callable[[], Any],
) -> Any:
    """Give the server what its migration holds of the source, if it does yet.

    Nova takes a Placement that does not answer for one that knows nothing,
    and has the guest go on without an allocation where it is.

    :param revert_it: Nova's own method, bound to its arguments.
    :returns: the allocation, by resource provider.
    :raises Exception: when Placement does not answer.
    """

    def held_by(consumer: str) -> Any:
        report = manager.reportclient.get_allocs_for_consumer(
            context, consumer
        )
        return report['allocations']

    if not held_by(migration.uuid):
        # A revert that is taken up may have done so before.
        return held_by(instance.uuid)
    reverted = revert_it()
    if not reverted:
        raise exception.AllocationMoveFailed(
            source_consumer=migration.uuid,
            target_consumer=instance.uuid,
            error='Placement does not answer',
        )
    return reverted


def take_up(
    manager: Any, context: Any, attributes: list[str], patience: int = 0
) -> None:
    """Go on with what stopped half way; a failure of one stops no other.

    :param attributes: those that a message has of an instance.
    :param patience: leave alone what is not older, in seconds: a message may
        be on its way.
    """
    for instance, move in under_way.moves(
        manager, context, [_TASK], tuple(State), attributes
    ):
        if not all(
            under_way.is_left(half, instance, patience)
            for half in (_FIRST, _SECOND)
        ):
            continue
        LOG.warning(
            'The revert stopped half way and is taken up', instance=instance
        )
        try:
            _take_up(manager, context, instance, move)
        except Exception:
            LOG.exception(
                'The revert could not be brought to its end',
                instance=instance,
            )


def _take_up(manager: Any, context: Any, instance: Any, move: Move) -> None:
    migration = objects.Migration.get_by_uuid(context, move.migration)
    spec = under_way.request_spec(context, instance)
    is_home = migration.source_compute == manager.host
    if is_home and not (move.in_place and migration.status in _BEFORE_FIRST):
        manager.finish_revert_resize(context, instance, migration, spec)
        if move.state is State.RETURNING:
            way_home.call_off(manager, context, instance, migration)
    elif _has_not_left(manager, instance, move):
        manager.driver.stay(instance, move)
        error = exception.MigrationError(
            reason=f'nova-numa-compute on host {manager.host} ended while it '
            f'took the guest back to {migration.source_compute}'
        )
        revert.call_off(manager, context, instance, migration, error)
    else:
        manager.revert_resize(context, instance, migration, spec)


def _has_not_left(manager: Any, instance: Any, move: Move) -> bool:
    """Whether the service died as it saved the guest, or sent it home."""
    driver = manager.driver
    return (
        move.state is State.RESTORED
        and driver.checkpoints.journal(instance.uuid) is not None
        and driver.instance_exists(instance)
    )


def _is_first_due(
    manager: Any, context: Any, instance: Any, migration: Any
) -> bool:
    """Whether the server is still here, with its revert before it.

    Nova's poll for moves to be confirmed may have begun before the revert:
    it takes a server with a task for one that failed, and says so of its
    migration.  The revert is under way all the same, and holds what it held.
    """
    server = objects.Instance.get_by_uuid(context, instance.uuid)
    known = objects.Migration.get_by_uuid(context, migration.uuid)
    if server.host != manager.host or known.status not in _BEFORE_FIRST:
        return False
    if known.status == 'error':
        known.status = migration.status = 'reverting'
        known.save()
    return True


def _end_first(context: Any, migration: Any) -> None:
    """The first half is done, whoever died before it said so."""
    known = objects.Migration.get_by_uuid(context, migration.uuid)
    if known.status != 'reverted':
        known.status = migration.status = 'reverted'
        known.save()


def _leave(context: Any, instance: Any, migration: Any, status: str) -> None:
    """Take back what Nova's handlers have said of a revert that failed."""
    task = under_way.task_of(context, instance)
    LOG.warning(
        'The guest runs nowhere and its revert could not go on: it is taken '
        'up in about a minute',
        instance=instance,
    )
    instance.vm_state = vm_states.RESIZED
    instance.task_state = _TASK
    # First, as in the tracker's _hand_home: it says where the server is.
    under_way.save(instance, task)
    migration.status = status
    migration.save()
