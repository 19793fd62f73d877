# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that nobody needs any more are deleted, whatever left them.

A checkpoint holds a guest's secrets.  Each move deletes its own; this finds
those of a server that was deleted, or of a service that died before it came
to that.  With the checkpoint of a guest that was awaited and did not come go
the copies of its disks.
"""

from __future__ import annotations

from typing import Any

from nova import exception
from nova import objects
from nova.compute import vm_states
from oslo_log import log as logging

from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State

LOG = logging.getLogger(__name__)

#: Of a server whose guest has gone on elsewhere: its source waits for confirm
#: or revert.  Nova's handlers make an error of a revert that failed, before it
#: is left to be taken up (see halves), and the guest may have ended by then.
#: An error is not for ever: a hard reboot, a reset of the state, the next move
#: and a delete each end it, and the checkpoint with it.
_WAITING = (vm_states.RESIZED, vm_states.ERROR)

#: Of a migration that leaves nothing to be waited for on either host.
_OVER = ('cancelled', 'completed', 'confirmed', 'error', 'failed', 'reverted')


def sweep(manager: Any, context: Any) -> None:
    """Delete what no move needs; a failure of one does not stop the others.

    The files are listed before the database is read: a move is in it before
    its file is made.
    """
    store = manager.driver.checkpoints
    for uuid in sorted(store.instances()):
        try:
            if not _is_needed(context, uuid):
                LOG.warning(
                    'The checkpoint of instance %s is of no use to anybody '
                    'and is deleted',
                    uuid,
                )
                discard(manager, context, uuid)
        except Exception:
            LOG.exception('The checkpoint of instance %s stays', uuid)


def discard(manager: Any, context: Any, uuid: str) -> None:
    """Delete a checkpoint here, and the disks that came with it alone.

    In this order: what cannot be deleted now is known the next time.

    :raises OSError: when the disks cannot be deleted.
    :raises Exception: when the instance's host cannot be asked whose they are.
    """
    driver = manager.driver
    if driver.checkpoints.awaits(uuid) and _is_copy(manager, context, uuid):
        driver.remove_what_came(objects.Instance(uuid=uuid))
    driver.checkpoints.discard(uuid)


def _is_copy(manager: Any, context: Any, uuid: str) -> bool:
    """Whether what is in the instance's directory here is of no use.

    It is not where the instance is not on this host, nor on its way here or
    away (but for the migration of its checkpoint, of which that is known), and
    its own host does not have the same directory.
    """
    if manager.driver.instance_exists(objects.Instance(uuid=uuid)):
        return False
    try:
        instance = objects.Instance.get_by_uuid(context, uuid)
    except exception.InstanceNotFound:
        return True
    known = manager.driver.checkpoints.journal(uuid).migration
    here = objects.MigrationList.get_by_filters(
        context, {'instance_uuid': uuid, 'host': manager.host}
    )
    is_elsewhere = instance.host != manager.host and all(
        migration.uuid == known or migration.status in _OVER
        for migration in here
    )
    return is_elsewhere and not _is_shared(manager, context, instance)


def _is_shared(manager: Any, context: Any, instance: Any) -> bool:
    """Whether the instance's own host sees its directory on this host.

    Storage that both hosts share may have been mounted since the guest was
    awaited.  Asked as Nova does it (_is_instance_storage_shared), but for a
    failure, which must not pass for an answer here.  Where no disk is a file
    there is no telling, and nothing big to be removed.
    """
    driver = manager.driver
    mark = driver.check_instance_shared_storage_local(context, instance)
    if not mark:
        return True
    try:
        return bool(
            manager.compute_rpcapi.check_instance_shared_storage(
                context, mark, instance=instance, host=instance.host
            )
        )
    finally:
        driver.check_instance_shared_storage_cleanup(context, mark)


def _is_needed(context: Any, uuid: str) -> bool:
    try:
        instance = objects.Instance.get_by_uuid(
            context, uuid, expected_attrs=['system_metadata']
        )
    except exception.InstanceNotFound:
        return False
    move = Move.of(instance.system_metadata)
    if move is None or move.state is State.NONE:
        return False
    over = move.state is State.RESTORED and instance.task_state is None
    return not over or instance.vm_state in _WAITING
