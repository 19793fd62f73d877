# SPDX-License-Identifier: Apache-2.0
"""What comes to this host, the destination, and what it was before.

Where the hosts cannot hear one another, the source of a move that came to
nothing cannot remove the copies that it made here.  This host can, if it is
certain that they are copies: it writes down that nothing of the guest is here
before the source is asked to send anything.
"""

from __future__ import annotations

from pathlib import Path
import shutil
from typing import Any

from nova.virt.libvirt import utils as libvirt_utils
from oslo_log import log as logging

from nova_numa_migrate.checkpoint.journal import Journal
from nova_numa_migrate.checkpoint.journal import Step

LOG = logging.getLogger(__name__)


def expect(driver: Any, instance: Any, migration: str) -> None:
    """A guest is about to be asked to come here.

    Where its directory is here already, it may be the source's own, and
    nothing is written down.

    :param driver: the libvirt driver.
    :param migration: the uuid of Nova's migration record.
    """
    uuid = instance.uuid
    path = _path(instance)
    here = path.exists() or path.with_name(f'{path.name}_resize').exists()
    # What is left of an earlier one is not the source's.
    if not here or driver.checkpoints.awaits(uuid):
        driver.checkpoints.record(uuid, Journal(migration, Step.AWAITED))


def expect_no_more(driver: Any, instance: Any) -> None:
    """It was not asked; what an earlier one has left is for the sweep."""
    if driver.checkpoints.awaits(instance.uuid):
        if not _path(instance).exists():
            driver.checkpoints.discard(instance.uuid)


def remove(instance: Any) -> None:
    """Remove the copies of the disks of a guest that was awaited.

    :raises OSError: when they cannot be removed.
    """
    path = _path(instance)
    if path.exists():
        LOG.warning(
            'Removing %s: a move that came to nothing has brought it',
            path,
            instance=instance,
        )
        shutil.rmtree(path)


def _path(instance: Any) -> Path:
    return Path(libvirt_utils.get_instance_path(instance))
