# SPDX-License-Identifier: Apache-2.0
"""Disk files that go home with a guest that has volumes as well.

Nova keeps the files of the source for a revert, as they were before the move.
A guest that goes home as it is needs them as it has left them.  They are
brought beside Nova's, and each takes the place of one of those by a rename
when the new checkpoint is all that there is of the guest.  So a revert that
fails before that finds nothing changed, and one that is cut off in the middle
of the renames goes on with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nova import objects
from nova.virt.libvirt import utils as libvirt_utils
from oslo_log import log as logging

from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.guest_xml import disks
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State
from nova_numa_migrate.virt.step import step

LOG = logging.getLogger(__name__)

_SUFFIX = '.brought'


def bring(driver: Any, context: Any, instance: Any, move: Move) -> None:
    """On the destination: bring the files of a guest that was saved.

    :raises nova.exception.MigrationError: when one does not arrive, or the
        source does not know what to do with it.
    """
    names = _names(driver, instance)
    with step(context, instance, 'numa_migrate_transfer_disks'):
        directory = libvirt_utils.get_instance_path(instance)
        shared = driver._is_path_shared_with(move.home, directory)
        for name in names:
            libvirt_utils.copy_image(
                str(Path(directory, name)),
                str(_place(instance, name)),
                host=None if shared else move.home,
            )
        migration = objects.Migration.get_by_uuid(context, move.migration)
        driver.peers.sync_brought(
            context, migration.source_compute, instance, names
        )


def withdraw(driver: Any, instance: Any, move: Move) -> None:
    """On the destination: undo; what is left behind is never used."""
    for name in _names(driver, instance):
        try:
            driver._remotefs.remove_file(
                move.home, str(_place(instance, name))
            )
        except Exception as error:
            LOG.warning(
                'The copy of %(name)s on host %(host)s could not be removed; '
                'a confirm or a revert does it: %(error)s',
                {'name': name, 'host': move.home, 'error': error},
                instance=instance,
            )


def sync(instance: Any, names: Iterable[str]) -> None:
    """On the source: have the files outlive the power of this host.

    :raises OSError: when one is not here, or the disk does not take it.
    """
    for name in names:
        place = _place(instance, name)
        journal.sync(place)
        journal.sync(place.parent)


def take(instance: Any) -> None:
    """On the source: put them in the place of those that Nova has kept.

    :raises OSError: when the file system does not do it; to be tried again.
    """
    move = Move.of(instance.system_metadata)
    if move is None or move.state is not State.HOMEWARD:
        return
    directory = _kept(instance)
    for file in sorted(directory.glob(f'*{_SUFFIX}')):
        file.rename(file.with_suffix(''))
        journal.sync(directory)


def _names(driver: Any, instance: Any) -> list[str]:
    guest = driver._host.get_guest(instance)
    return disks.own_files(
        guest.get_xml_desc(), libvirt_utils.get_instance_path(instance)
    )


def _kept(instance: Any) -> Path:
    """Where Nova keeps the source's files until the confirm or revert."""
    return Path(f'{libvirt_utils.get_instance_path(instance)}_resize')


def _place(instance: Any, name: str) -> Path:
    return _kept(instance) / f'{name}{_SUFFIX}'
