# SPDX-License-Identifier: Apache-2.0
"""A revert that begins with a checkpoint, on the destination.

Nova's own begins with the end of the guest.  One whose state has to go home
with it is saved and sent before that, while a failure still leaves everything
as it was: the guest goes on here, and can be confirmed or reverted again.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from nova import exception
from nova.compute import utils as compute_utils
from nova.compute import vm_states
from oslo_log import log as logging

from nova_numa_migrate import rpc
from nova_numa_migrate.compute import acceptance
from nova_numa_migrate.compute import under_way
from nova_numa_migrate.move import Disks
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State

LOG = logging.getLogger(__name__)


def send_home(
    manager: Any, context: Any, instance: Any, migration: Any
) -> bool:
    """Bring the guest's state to its source, if it has to go there.

    :returns: whether Nova's revert is to follow; otherwise it is called off,
        or taken up where the guest could not go on here either, and the event
        of the step that failed says why.
    """
    move = Move.of(instance.system_metadata, migration.uuid)
    if move is None:
        return True
    try:
        _check_room(manager, context, instance, migration, move)
        manager.driver.send_home(context, instance, move)
    except Exception as error:
        LOG.exception(
            'The guest could not be taken back to %s',
            migration.source_compute,
            instance=instance,
        )
        if _waits(manager.driver, instance, move):
            # Called off, it would have nobody look for the checkpoint.
            LOG.error(
                'Nor could it go on here: it is in its checkpoint, and that '
                'is tried again in about a minute',
                instance=instance,
            )
        else:
            call_off(manager, context, instance, migration, error)
        return False
    return True


def _waits(driver: Any, instance: Any, move: Move) -> bool:
    """Whether the guest has yet to go on from a checkpoint taken here.

    One that is paused has: it was restored, and something failed then.
    """
    files = driver.checkpoints
    if files.journal(instance.uuid, move.migration) is None:
        return False
    if files.image(instance.uuid).exists():
        return not _goes_on(driver, instance)
    # One that is spent has another name; what has run since is no more.
    return (
        files.is_spent(instance.uuid)
        and runs(driver, instance)
        and not _goes_on(driver, instance)
    )


def _goes_on(driver: Any, instance: Any) -> bool:
    """Whether the guest is here and not paused, for certain."""
    try:
        return not driver.stands_still(instance) and runs(driver, instance)
    except Exception:
        return False


def runs(driver: Any, instance: Any) -> bool:
    """Whether the guest is still here, for certain."""
    try:
        return not driver.is_gone(instance)
    except Exception:
        return False


def _check_room(
    manager: Any, context: Any, instance: Any, migration: Any, move: Move
) -> None:
    """A guest that runs here must fit its old nodes once more.

    Nova's books say less than the kernel, and of a bare guest nothing.

    :raises nova.exception.MigrationPreCheckError: with every reason.
    """
    if move.state is not State.RESTORED or manager.driver.is_gone(instance):
        return
    with compute_utils.EventReporter(
        context, 'numa_migrate_check', manager.host, instance.uuid
    ):
        refusals = _ask_home(manager, context, instance, migration, move)
        if refusals:
            raise exception.MigrationPreCheckError(
                reason=f'{"; ".join(refusals)}. The guest runs on'
            )


def _ask_home(
    manager: Any, context: Any, instance: Any, migration: Any, move: Move
) -> list[str]:
    """Why the source cannot have the guest back; nothing where it is silent.

    The second half of a revert waits for a source that does not run.
    """
    demand = manager.driver.demand_of(instance)
    if move.in_place:
        return acceptance.at_the_return(manager, instance, demand)
    if move.disks is Disks.KEPT:
        # What it goes on from is there, and was saved there.
        demand = dataclasses.replace(demand, hypervisor=0, kib=0)
    try:
        found: list[str] = manager.driver.peers.check_return(
            context, migration.source_compute, instance, demand
        )
    except rpc.Unanswered as error:
        LOG.warning(
            'Nobody knows whether the source has room for the guest: %s',
            error,
            instance=instance,
        )
        return []
    return found


def call_off(
    manager: Any,
    context: Any,
    instance: Any,
    migration: Any,
    error: Exception,
) -> None:
    """The server is as it was before the revert, and may be reverted again.

    One that does not run any more is in error, as after any crash.

    :raises nova.exception.UnexpectedDeletingTaskStateError: when somebody
        deletes the server.
    """
    manager.rt.arrived(instance.uuid)
    task = under_way.task_of(context, instance)
    migration.status = 'finished'
    migration.save()
    instance.vm_state = vm_states.RESIZED
    instance.task_state = None
    under_way.save(instance, task)
    if manager.driver.is_gone(instance):
        compute_utils.add_instance_fault_from_exc(context, instance, error)
        instance.vm_state = vm_states.ERROR
        instance.save()
