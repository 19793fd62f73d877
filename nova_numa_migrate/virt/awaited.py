# SPDX-License-Identifier: Apache-2.0
"""What comes to this host, the destination, and what it was before.

Where the hosts cannot hear one another, the source of a move that came to
nothing cannot remove the copies that it made here.  This host can, if it is
certain that they are copies: it writes down that nothing of the guest is here
before the source is asked to send anything.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
from pathlib import Path
import shutil
from typing import Any

from nova.virt.libvirt import utils as libvirt_utils
from oslo_log import log as logging
from oslo_utils import excutils

from nova_numa_migrate.checkpoint.journal import Journal
from nova_numa_migrate.checkpoint.journal import Step

LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def expecting(driver: Any, instance: Any, migration: str) -> Iterator[None]:
    """While a guest is asked to come: it may, unless this fails.

    Where its directory is here already, it may be the source's own, and
    nothing is written down.

    :param driver: the libvirt driver.
    :param migration: the uuid of Nova's migration record.
    """
    uuid = instance.uuid
    path = Path(libvirt_utils.get_instance_path(instance))
    here = path.exists() or path.with_name(f'{path.name}_resize').exists()
    # What is left of an earlier one is not the source's.
    if not here or driver.checkpoints.awaits(uuid):
        driver.checkpoints.record(uuid, Journal(migration, Step.AWAITED))
    try:
        yield
    except Exception:
        with excutils.save_and_reraise_exception(logger=LOG):
            if driver.checkpoints.awaits(uuid):
                driver.checkpoints.discard(uuid)


def remove(instance: Any) -> None:
    """Remove the copies of the disks of a guest that was awaited.

    :raises OSError: when they cannot be removed.
    """
    path = Path(libvirt_utils.get_instance_path(instance))
    if path.exists():
        LOG.warning(
            'Removing %s: a move that came to nothing has brought it',
            path,
            instance=instance,
        )
        shutil.rmtree(path)
