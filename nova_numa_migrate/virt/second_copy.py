# SPDX-License-Identifier: Apache-2.0
"""A checkpoint that was taken home is on two hosts until its guest goes on.

The source may have lost its own: with its power, when the file had just come,
or by a damage since.  Then it is fetched from the destination, which keeps one
until the source says that the guest goes on.
"""

from __future__ import annotations

from typing import Any

from nova import exception
from nova import objects
import nova.conf
from oslo_log import log as logging

from nova_numa_migrate.checkpoint import digest as digests
from nova_numa_migrate.move import Move
from nova_numa_migrate.virt import destination
from nova_numa_migrate.virt import homecoming
from nova_numa_migrate.virt.step import step

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)


def require(driver: Any, context: Any, instance: Any, digest: str) -> str:
    """The checkpoint must be here before anything is done with the disks.

    :param digest: of the checkpoint when it was sent.
    :returns: the digest that has yet to be checked, empty for none.
    :raises nova.exception.MigrationError: naming the file; Kept where the
        other host has it.
    """
    image = driver.checkpoints.image(instance.uuid)
    if not homecoming.is_brought(driver, instance):
        destination.require(image)
        return digest
    try:
        digests.require(image, digest)
    except (OSError, digests.Damaged) as error:
        LOG.warning(
            'The checkpoint is fetched from the other host: %s',
            error,
            instance=instance,
        )
        _fetch(driver, context, instance, digest, error)
    return ''


def send(driver: Any, instance: Any, migration: str) -> None:
    """On the destination: bring the checkpoint to its source once more.

    :raises Exception: when it is not here, or does not arrive.
    """
    move = Move.of(instance.system_metadata, migration)
    journal = driver.checkpoints.journal(instance.uuid, migration)
    if move is None or journal is None or journal.digest != move.digest:
        raise exception.MigrationError(
            reason=f'host {CONF.host} has no checkpoint of that migration'
        )
    driver.transport.send(driver.checkpoints.image(instance.uuid), move.home)


def _fetch(
    driver: Any, context: Any, instance: Any, digest: str, found: Exception
) -> None:
    image = driver.checkpoints.image(instance.uuid)
    move = Move.of(instance.system_metadata)
    migration = objects.Migration.get_by_uuid(
        context, move.migration if move else None
    )
    there = migration.dest_compute
    try:
        with step(context, instance, 'numa_migrate_fetch'):
            driver.peers.send_checkpoint(
                context, there, instance, migration.uuid
            )
            digests.require(image, digest)
    except Exception as error:
        # What is to be done comes first: Nova cuts the text of a fault.
        raise homecoming.Kept(
            f'the checkpoint on host {there} could not be fetched, and '
            f'{CONF.host} has none. The guest\'s state is kept there. Mend '
            'the cause, then have it go on with "openstack server reboot '
            '--hard": '
            f'{error}; {image}: {found}'
        ) from error
