# SPDX-License-Identifier: Apache-2.0
"""The way home of a guest that could not start at the destination.

Nova leaves the server of a migration that failed there in error, for a hard
reboot to boot it.  A guest that was saved would lose its memory by that: it
goes back to its source by Nova's own revert, and goes on there.
"""

from __future__ import annotations

from typing import Any

from nova.compute import task_states
from nova.compute import utils as compute_utils
from nova.compute import vm_states
from oslo_log import log as logging

from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State

LOG = logging.getLogger(__name__)

#: The event of the server's action that says that the guest went home.
EVENT = 'numa_migrate_return'


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
            'does not say: %s. It stays in error, its checkpoint is kept',
            error,
            instance=instance,
        )
        return False
    return gone


def go_home(
    manager: Any,
    context: Any,
    instance: Any,
    migration: Any,
    request_spec: Any,
) -> None:
    """Take down what is here of the guest and have the source go on with it.

    :param manager: the compute manager of this host, the destination.
    :raises Exception: when it fails; the checkpoint stays on the source.
    """
    LOG.warning(
        'The guest could not be started here and goes on at its source %s',
        migration.source_compute,
        instance=instance,
    )
    move = Move.of(instance.system_metadata, migration.uuid)
    if move is not None:
        move.with_state(State.RETURNING).store(instance.system_metadata)
    with compute_utils.EventReporter(
        context, EVENT, manager.host, instance.uuid
    ):
        # As Nova's API leaves both when a revert is asked for.
        migration.status = 'reverting'
        migration.save()
        instance.vm_state = vm_states.RESIZED
        instance.task_state = task_states.RESIZE_REVERTING
        instance.save()
        # The source has its own; nobody needs this one any more.
        manager.driver.checkpoints.discard(instance.uuid)
        manager.revert_resize(context, instance, migration, request_spec)
