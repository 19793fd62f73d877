# SPDX-License-Identifier: Apache-2.0
"""A revert of a guest that has written, at the destination, to its only disks.

Volumes and disks in a storage cluster are one for both hosts.  What was saved
before the move does not belong to them any more: restored over them, it would
ruin them.  So the guest goes home the way it came: it is saved here, and goes
on at its source as it was at the revert.

Files are two: Nova keeps those of the source as they were saved.  A guest with
nothing but files goes back to that instant, by the checkpoint that the source
has kept.  One with files and volumes brings its files along (``brought``), so
that they belong to its new checkpoint as the volumes do.

A guest that has stayed on its host has written to its only disks, too.
"""

from __future__ import annotations

from typing import Any

from nova import objects
from nova.virt.libvirt import guest as libvirt_guest
from oslo_log import log as logging

from nova_numa_migrate import rpc
from nova_numa_migrate.checkpoint.journal import Step
from nova_numa_migrate.move import Disks
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State
from nova_numa_migrate.virt import brought
from nova_numa_migrate.virt import interrupted
from nova_numa_migrate.virt import outbound
from nova_numa_migrate.virt.step import step

LOG = logging.getLogger(__name__)


def goes_with_state(driver: Any, instance: Any, move: Move) -> bool:
    """Whether this revert needs a checkpoint made here.

    :param move: of the migration that is reverted.
    """
    return (
        move.state in (State.RESTORED, State.HOMEWARD)
        and move.disks is not Disks.KEPT
        and not driver.is_gone(instance)
    )


def send(driver: Any, context: Any, instance: Any, move: Move) -> None:
    """Save the guest and bring its checkpoint, and its files, to its source.

    When this returns it may go on there and nowhere else.

    :raises Exception: when it failed; the guest goes on here, unless libvirt
        does not let it: then its checkpoint is kept.
    """
    out = outbound.Outbound(
        driver, context, instance, move.migration, move.home
    )
    try:
        with driver.slots:
            out.save_and_send()
            if move.disks is Disks.MIXED:
                brought.bring(driver, context, instance, move)
            if not move.in_place:
                _keep_there(driver, context, instance, move)
        out.record(Step.SENT)
        move.homeward(out.digest).store(instance.system_metadata)
        instance.save()
    except Exception:
        go_on_here(driver, instance, move)
        raise


def _keep_there(driver: Any, context: Any, instance: Any, move: Move) -> None:
    """Have the source keep the checkpoint before the guest ends here.

    A copy is in that host's memory first, and would be lost with its power.
    Where the source cannot be asked, this host's own has to do.

    :raises nova.exception.MigrationError: when it cannot keep it.
    """
    with step(context, instance, 'numa_migrate_sync'):
        migration = objects.Migration.get_by_uuid(context, move.migration)
        try:
            driver.peers.sync_checkpoint(
                context, migration.source_compute, instance
            )
        except rpc.Unanswered as error:
            LOG.warning(
                'Nobody knows whether the checkpoint would outlive the power '
                'of host %(host)s: %(error)s',
                {'host': migration.source_compute, 'error': error},
                instance=instance,
            )


def go_on_here(driver: Any, instance: Any, move: Move) -> None:
    """Undo: the guest runs, and there is no checkpoint of it.

    Nothing of it has been taken down: libvirt alone has to start it.
    """
    image = driver.checkpoints.image(instance.uuid)
    if driver.stands_still(instance):
        # Something failed right after it was restored.
        interrupted.goes_on(driver, instance)
    if driver.is_gone(instance):
        LOG.warning(
            'The guest goes on here from its checkpoint: it could not be '
            'taken back to its source',
            instance=instance,
        )
        libvirt = libvirt_guest.libvirt
        driver._host.get_connection().restoreFlags(
            str(image), None, libvirt.VIR_DOMAIN_SAVE_PAUSED
        )
        driver.checkpoints.spend(instance.uuid)
        driver._host.get_guest(instance).resume()
    outbound.withdraw(driver, instance, move.home)
    if move.disks is Disks.MIXED:
        brought.withdraw(driver, instance, move)
    driver.checkpoints.discard(instance.uuid)
    move.with_state(State.RESTORED).store(instance.system_metadata)


def stay(driver: Any, instance: Any, move: Move) -> None:
    """After a crash in ``send``, or in the undoing: undo.

    When libvirt is done with what the service had it do.
    """
    if interrupted.ending(driver, instance) is interrupted.Ending.LOST:
        driver.checkpoints.discard(instance.uuid)
    else:
        go_on_here(driver, instance, move)
