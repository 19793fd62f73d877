# SPDX-License-Identifier: Apache-2.0
"""The way home of a guest that was saved and could not be moved.

Nova leaves the server of a migration that failed so late in error, for a hard
reboot to boot it.  A guest that was saved would lose its memory by that: it
goes on at its source, by Nova's own revert.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
from typing import Any

from nova import objects
from nova.compute import task_states
from nova.compute import utils as compute_utils
from nova.compute import vm_states
from oslo_log import log as logging

from nova_numa_migrate import events
from nova_numa_migrate.compute import under_way
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State

LOG = logging.getLogger(__name__)

#: The event of the server's action that says that the guest went home.
EVENT = 'numa_migrate_return'
#: The event that says what failed at the destination before that.
CAUSE_EVENT = 'numa_migrate_finish'


def leads_home(driver: Any, instance: Any, migration: Any) -> bool:
    """Whether the guest's state is with the source and nowhere else.

    Only a guest that has surely never run here goes home: after that its
    disks, or the world, know more than the checkpoint does.
    """
    move = Move.of(instance.system_metadata, migration.uuid)
    if move is None or move.state is not State.SAVED:
        return False
    try:
        gone: bool = driver.is_gone(instance)
    except Exception as error:
        LOG.error(
            'The guest could not be started here and may yet run, libvirt '
            'does not say: %s. Its checkpoint is kept',
            error,
            instance=instance,
        )
        return False
    return gone


def tell_why(
    manager: Any, context: Any, instance: Any, error: Exception
) -> None:
    """Say why the guest goes home: its move ends well for all that Nova sees.

    :param manager: the compute manager of this host, the destination.
    """
    LOG.error(
        'The guest could not be started here',
        instance=instance,
        exc_info=error,
    )
    events.tell(context, instance.uuid, manager.host, CAUSE_EVENT, error)


def go_home(
    manager: Any,
    context: Any,
    instance: Any,
    migration: Any,
    request_spec: Any,
) -> None:
    """Take down what is here of the guest and have the source go on with it.

    :param manager: the compute manager of this host, the destination.
    :raises nova.exception.UnexpectedDeletingTaskStateError: when somebody
        deletes the server.
    :raises Exception: when it fails; the checkpoint stays on the source.
    """
    with _reverting(manager, context, instance, migration, 'reverting'):
        LOG.warning(
            'The guest could not be started here and goes on at its source %s',
            migration.source_compute,
            instance=instance,
        )
        manager.revert_resize(context, instance, migration, request_spec)
        if migration.source_compute != manager.host:
            # The source has its own; nobody needs this one any more.
            manager.driver.checkpoints.discard(instance.uuid)


def has_left(context: Any, instance: Any) -> bool:
    """Whether Nova has handed the server to the destination.

    By the database, which the instance at hand may be ahead of; and by what
    Nova stores in that very step, since the host may stay the same.

    :raises Exception: when the database does not answer for minutes.
    """
    known = under_way.known(context, instance, expected_attrs=['flavor'])
    return known.old_flavor is not None


def stay_home(
    manager: Any,
    context: Any,
    instance: Any,
    migration: Any,
    request_spec: Any,
) -> None:
    """Have the guest go on here, and take back what the other host has.

    :param manager: the compute manager of this host, the source.
    :raises nova.exception.UnexpectedDeletingTaskStateError: when somebody
        deletes the server.
    :raises Exception: when it fails; the checkpoint stays here.
    """
    known = objects.Instance.get_by_uuid(context, instance.uuid)
    for field in ('host', 'node', 'compute_id'):
        setattr(instance, field, getattr(known, field))
    # There is no destination's half of this revert, see halves.
    with _reverting(manager, context, instance, migration, 'reverted'):
        LOG.warning(
            'The guest was saved and could not be handed to %s: it goes on '
            'here',
            migration.dest_compute,
            instance=instance,
        )
        manager.finish_revert_resize(
            context, instance, migration, request_spec
        )
        manager.driver.withdraw(instance, migration.dest_host)
        call_off(manager, context, instance, migration)
        # The destination's audit gives back what was claimed there.
        migration.status = 'error'
        migration.save()


def call_off(
    manager: Any, context: Any, instance: Any, migration: Any
) -> None:
    """Tell the destination that the guest does not come.

    It removes what has come, where this host cannot reach it, too.

    :param manager: the compute manager of the source.
    """
    if migration.dest_compute == manager.host:
        return
    try:
        manager.driver.peers.discard_checkpoint(
            context, migration.dest_compute, instance, migration.uuid
        )
    except Exception:
        LOG.exception(
            'Host %s could not be told that the guest does not come; its '
            'sweep finds that out',
            migration.dest_compute,
            instance=instance,
        )


@contextlib.contextmanager
def _reverting(
    manager: Any, context: Any, instance: Any, migration: Any, status: str
) -> Iterator[None]:
    """The event of the way home, begun as Nova's API begins a revert."""
    # A delete may be what the move failed of.
    task = under_way.task_of(context, instance)
    move = Move.of(instance.system_metadata, migration.uuid)
    if move is not None:
        move.with_state(State.RETURNING).store(instance.system_metadata)
    if instance.old_flavor is None:
        instance.old_flavor = instance.flavor
    migration.status = status
    instance.vm_state = vm_states.RESIZED
    instance.task_state = task_states.RESIZE_REVERTING
    with compute_utils.EventReporter(
        context, EVENT, manager.host, instance.uuid
    ):
        migration.save()
        under_way.save(instance, task)
        yield
