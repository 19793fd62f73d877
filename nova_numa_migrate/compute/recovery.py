# SPDX-License-Identifier: Apache-2.0
"""Moves that this host, the destination, was finishing when its service died.

Or when its database was silent, and nobody is at it any more.  Nova leaves
such a server where it was, for ever "finishing".  What libvirt
says decides here: a guest that runs has moved, one that is gone goes home.
(On the source it is Nova that takes a migration back when it starts; see
``departures``.)
"""

from __future__ import annotations

from typing import Any

from nova import objects
from nova.compute import power_state
from nova.compute import task_states
from nova.compute import vm_states
from oslo_log import log as logging
from oslo_utils import timeutils

from nova_numa_migrate.compute import arrivals
from nova_numa_migrate.compute import under_way
from nova_numa_migrate.compute import way_home
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State

LOG = logging.getLogger(__name__)

#: What a message would have of an instance.
ATTRIBUTES = [
    'flavor',
    'info_cache',
    'metadata',
    'migration_context',
    'numa_topology',
    'pci_devices',
    'pci_requests',
    'resources',
    'system_metadata',
]


#: The guest is in a checkpoint, or was.
_UNDER_WAY = (State.SAVED, State.RESTORED)


def recover(manager: Any, context: Any) -> None:
    """Bring each move to its end, however young.

    To be called when this host's resources are known and before the service
    takes messages.
    """
    take_up(manager, context, ATTRIBUTES)


def take_up(
    manager: Any, context: Any, attributes: list[str], patience: int = 0
) -> None:
    """Bring each move to its end; a failure of one does not stop the others.

    :param attributes: those that a message has of an instance.
    :param patience: leave alone what is not older, in seconds.
    """
    for instance, move in under_way.moves(
        manager,
        context,
        # What is before that is taken up, see arrivals; and reverts, see
        # halves.
        [task_states.RESIZE_FINISH],
        _UNDER_WAY,
        attributes,
    ):
        if not under_way.is_left(arrivals.STEP, instance, patience):
            continue
        try:
            _recover(manager, context, instance, move)
        except Exception:
            LOG.exception(
                'The move of this guest was under way when the service or '
                'the database failed, and could not be brought to its end',
                instance=instance,
            )


def settles(
    manager: Any,
    context: Any,
    instance: Any,
    migration: Any,
    request_spec: Any,
    error: Exception,
) -> bool:
    """After a failure while a move was finished: whether it ends well.

    The guest goes home, or has moved all the same.  What of that cannot be
    known or done now, because the database, libvirt or Cinder does not answer,
    is done later, see ``take_up``: of an error Nova would give away what the
    source holds for the guest, and advise a reboot, which loses its state.

    :raises nova.exception.NovaException: when somebody has deleted the
        server, or reset its state.
    """
    try:
        if way_home.leads_home(manager.driver, instance, migration):
            way_home.tell_why(manager, context, instance, error)
            way_home.go_home(
                manager, context, instance, migration, request_spec
            )
            return True
        return _has_moved(manager, context, instance, migration)
    except under_way.TAKEN_AWAY:
        raise
    except Exception:
        LOG.exception(
            'The move of this guest could not be brought to its end now; '
            'that is tried again in about a minute',
            instance=instance,
        )
        return True


def _has_moved(
    manager: Any, context: Any, instance: Any, migration: Any
) -> bool:
    """Whether the guest runs here; then its move is completed.

    Whatever failed: it cannot be undone any more.
    """
    move = Move.of(instance.system_metadata, migration.uuid)
    if move is None or move.state not in (State.SAVED, State.RESTORED):
        return False
    if not manager.driver.goes_on(instance):
        return False
    LOG.warning('The guest has moved here all the same', instance=instance)
    known = under_way.known(context, instance)
    if known.task_state == task_states.RESIZE_FINISH:
        _complete(manager, context, instance, migration, move)
        return True
    # Either the failure came after that, or somebody has taken the task away:
    # that is an error, which the server has to show.
    return bool(known.vm_state == vm_states.RESIZED)


def _recover(manager: Any, context: Any, instance: Any, move: Move) -> None:
    migration = objects.Migration.get_by_uuid(context, move.migration)
    with under_way.once(
        arrivals.STEP, context, instance, migration, task_states.RESIZE_FINISH
    ) as due:
        if due:
            _end(manager, context, instance, migration, move)


def _end(
    manager: Any, context: Any, instance: Any, migration: Any, move: Move
) -> None:
    if manager.driver.goes_on(instance):
        LOG.info('The guest has moved here', instance=instance)
        instance.power_state = power_state.RUNNING
        _complete(manager, context, instance, migration, move)
    elif move.state is State.RESTORED or manager.driver.has_run(
        instance, move
    ):
        LOG.warning(
            'The guest had moved here and run when it stopped: it is off, '
            'and its move can be confirmed or reverted',
            instance=instance,
        )
        instance.power_state = power_state.SHUTDOWN
        _complete(manager, context, instance, migration, move)
    elif way_home.leads_home(manager.driver, instance, migration):
        spec = under_way.request_spec(context, instance)
        way_home.go_home(manager, context, instance, migration, spec)


def _complete(
    manager: Any, context: Any, instance: Any, migration: Any, move: Move
) -> None:
    """What Nova does after the driver has started the guest."""
    manager.driver.has_arrived(instance, move)
    manager._complete_volume_attachments(context, instance.get_bdms())
    migration.status = 'finished'
    migration.save()
    instance.vm_state = vm_states.RESIZED
    instance.task_state = None
    instance.launched_at = timeutils.utcnow()
    instance.save(expected_task_state=task_states.RESIZE_FINISH)
