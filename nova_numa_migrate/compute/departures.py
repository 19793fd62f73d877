# SPDX-License-Identifier: Apache-2.0
"""Moves that this host, the source, had begun when its service died.

When it starts again, Nova has the guest go on here and forgets the rest: the
migration is under way for ever, the allocations are those of a guest that
left, the destination keeps its claim and its copies.  All of it is given back
here, by what the database says, so that a service that dies once more ends it
the next time.  Where Nova could not have the guest go on, it is given back
when somebody has.

While the service lives, a silent database leaves moves as well.  A guest that
was saved and could not go on is off, and is brought back as soon as that
answers.  One that runs has a server that nobody could reset: that is done, and
what the move holds is given back.
"""

from __future__ import annotations

from typing import Any

from nova import objects
from nova.compute import task_states
from nova.compute import utils as compute_utils
from nova.compute import vm_states
from oslo_log import log as logging

from nova_numa_migrate import move as moves
from nova_numa_migrate.compute import attachments
from nova_numa_migrate.compute import under_way
from nova_numa_migrate.compute import way_home
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State

LOG = logging.getLogger(__name__)

#: This host is at it.
STEP = 'departure'

#: Of a migration whose source is at work.
_STATUSES = ['migrating', 'post-migrating']
_ATTRIBUTES = ['info_cache', 'migration_context', 'system_metadata']

# Nova's compute manager, which it is mixed into.
_Manager: Any = object


def asked_by(instance: Any, migration: Any) -> Move | None:
    """The move that a migration from here is, None for a plain one.

    One left over from an earlier migration is forgotten: neither a source nor
    a destination without the plugin does so, and it would have the guest
    saved for a host that knows nothing of checkpoints.
    """
    found = Move.of(instance.system_metadata, migration.uuid)
    if found is None:
        moves.forget(instance.system_metadata)
    return found


def recover(manager: Any, context: Any) -> None:
    """Give back what each such move holds; a failure stops no other.

    To be called when Nova has started its guests, and before it counts this
    host's resources and the service takes messages.
    """
    _recall(manager, context)
    for migration in _begun(manager, context):
        _end(manager, context, migration)


def end(manager: Any, context: Any, instance: Any) -> None:
    """The same for one guest that goes on, or was booted, after all.

    Its next move must not begin with what this one holds.
    """
    if Move.of(instance.system_metadata) is None:
        return
    context = context.elevated()
    try:
        for migration in _begun(manager, context, instance_uuid=instance.uuid):
            _end(manager, context, migration)
    except Exception:
        # The guest runs: nobody is to take that for a failure.
        LOG.exception(
            'The move of this guest is over, and may not be ended before the '
            'next start of the service',
            instance=instance,
        )


def take_up(
    manager: Any, context: Any, attributes: list[str], patience: int = 0
) -> None:
    """Have each guest go on here that a move has left, with its server.

    A failure of one stops no other.

    :param attributes: those that a message has of an instance.
    :param patience: leave alone what is not older, in seconds.
    """
    for instance, move in under_way.moves(
        manager,
        context,
        [task_states.RESIZE_MIGRATING],
        # It is stored no earlier than the server is handed over.
        (State.OPEN, State.SAVED),
        attributes,
    ):
        if not under_way.is_left(STEP, instance, patience):
            continue
        try:
            _take_up(manager, context, instance, move)
        except Exception:
            LOG.exception(
                'The move of this guest was left half way, and could not be '
                'ended',
                instance=instance,
            )


def _take_up(manager: Any, context: Any, instance: Any, move: Move) -> None:
    migration = objects.Migration.get_by_uuid(context, move.migration)
    task = task_states.RESIZE_MIGRATING
    with under_way.once(STEP, context, instance, migration, task) as due:
        if not due:
            return
        if manager.driver.has_pending_state(instance):
            spec = under_way.request_spec(context, instance)
            way_home.stay_home(manager, context, instance, migration, spec)
        elif manager.driver.has_stayed(instance):
            _reset(manager, context, instance, migration)


def _reset(manager: Any, context: Any, instance: Any, migration: Any) -> None:
    """What Nova's handlers could not do of a guest that goes on here.

    The task goes last, with the move: while a server has both, it is looked
    at every minute.
    """
    # As Nova's own revert knows it.
    instance.vm_state = instance.system_metadata.get(
        'old_vm_state', vm_states.ACTIVE
    )
    instance.task_state = None
    _give_back(
        manager,
        context,
        instance,
        migration,
        expected_task_state=[task_states.RESIZE_MIGRATING],
    )


class DeparturesMixin(_Manager):
    """A departure is nobody else's; who starts its guest later ends it."""

    def resize_instance(
        self, context: Any, instance: Any, *args: Any, **kwargs: Any
    ) -> None:
        """On the source: with Nova's handlers, so that nobody is faster."""
        with under_way.at(STEP, instance):
            super().resize_instance(context, instance, *args, **kwargs)

    def _init_instance(self, context: Any, instance: Any) -> None:
        """At the start; Nova takes back a move that its service died in."""
        if instance.task_state == task_states.RESIZE_MIGRATING:
            attachments.renew(self, context, instance)
        super()._init_instance(context, instance)

    def _reboot_instance(
        self, context: Any, instance: Any, *args: Any
    ) -> None:
        """Reboot; that has a guest go on whose checkpoint was kept."""
        attachments.renew(self, context, instance)
        super()._reboot_instance(context, instance, *args)
        end(self, context, instance)

    def start_instance(self, context: Any, instance: Any) -> None:
        """Boot; that gives the checkpoint up."""
        attachments.renew(self, context, instance)
        super().start_instance(context, instance)
        end(self, context, instance)


def _begun(manager: Any, context: Any, **more: str) -> Any:
    filters = {
        'source_compute': manager.host,
        'status': _STATUSES,
        'migration_type': 'migration',
        **more,
    }
    return objects.MigrationList.get_by_filters(context, filters)


def _recall(manager: Any, context: Any) -> None:
    """Have those count as begun that Nova's handlers have put in error.

    Where the database fell silent then, they came no further.  A move that is
    open was never handed over.
    """
    moving = under_way.moves(
        manager, context, None, (State.OPEN,), ['system_metadata']
    )
    filters = {
        'source_compute': manager.host,
        'status': ['error'],
        'uuid': [move.migration for _, move in moving],
    }
    for migration in objects.MigrationList.get_by_filters(context, filters):
        migration.status = 'migrating'
        migration.save()


def _end(manager: Any, context: Any, migration: Any) -> None:
    try:
        instance = objects.Instance.get_by_uuid(
            context, migration.instance_uuid, expected_attrs=_ATTRIBUTES
        )
        if not _was_taken_back(manager, instance, migration):
            return
        if manager.driver.has_pending_state(instance):
            _keep(manager, context, instance, migration)
        elif _needs_no_more(manager.driver, instance):
            attachments.complete(manager, context, instance)
            _give_back(manager, context, instance, migration)
    except Exception:
        LOG.exception(
            'Not all that migration %(migration)s of server %(server)s '
            'to %(host)s holds could be given back; the next start of '
            'the service tries again',
            {
                'migration': migration.uuid,
                'server': migration.instance_uuid,
                'host': migration.dest_compute,
            },
        )


def _was_taken_back(manager: Any, instance: Any, migration: Any) -> bool:
    """Whether Nova has done what it does of this move, however that went."""
    return (
        Move.of(instance.system_metadata, migration.uuid) is not None
        and instance.host == manager.host
        and instance.task_state is None
    )


def _needs_no_more(driver: Any, instance: Any) -> bool:
    """Whether the guest goes on, or was never saved."""
    if driver.checkpoints.journal(instance.uuid) is None:
        return True
    return not driver.is_gone(instance)


def _keep(manager: Any, context: Any, instance: Any, migration: Any) -> None:
    """The guest is in its checkpoint, and Nova takes it for one that runs.

    It would find it off, and have it stopped: a start, which gives the
    checkpoint up, would be the next that anybody thinks of.  An error says
    what to do.  Said once: whoever stops such a server knows of it.
    """
    error = manager.driver.kept(
        f'the service on {manager.host} ended while it moved the guest to '
        f'{migration.dest_compute}, and its log says why it did not bring it '
        'back'
    )
    LOG.error('%s', error, instance=instance)
    if instance.vm_state == vm_states.ACTIVE:
        compute_utils.add_instance_fault_from_exc(context, instance, error)
        instance.vm_state = vm_states.ERROR
        instance.save()


def _give_back(
    manager: Any, context: Any, instance: Any, migration: Any, **expected: Any
) -> None:
    LOG.warning(
        'The service ended, or the database was silent, while the guest was '
        'being moved to %s: the guest has stayed here',
        migration.dest_compute,
        instance=instance,
    )
    with compute_utils.EventReporter(
        context, way_home.EVENT, manager.host, instance.uuid
    ):
        manager._revert_allocation(context, instance, migration)
        manager.driver.checkpoints.discard(instance.uuid)
        manager.driver.withdraw(instance, migration.dest_host)
        way_home.call_off(manager, context, instance, migration)
        instance.drop_migration_context()
        # The destination's audit gives back what was claimed there.
        migration.status = 'error'
        migration.save()
        # Last: by this the next attempt knows that there is nothing to do.
        moves.forget(instance.system_metadata)
        instance.save(**expected)
