# SPDX-License-Identifier: Apache-2.0
"""A guest is put into a checkpoint, and the checkpoint on its way.

The same in both directions: from the source to the destination, and on a
revert back.  What is around it, and the way back, is its user's.
"""

from __future__ import annotations

from concurrent import futures
from contextlib import AbstractContextManager
from typing import Any

from oslo_log import log as logging

from nova_numa_migrate import privsep
from nova_numa_migrate.checkpoint import digest
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.checkpoint.journal import Journal
from nova_numa_migrate.checkpoint.journal import Step
from nova_numa_migrate.virt import limits
from nova_numa_migrate.virt.step import step

LOG = logging.getLogger(__name__)


class Outbound:
    """The checkpoint of one guest, for another host.

    ``saved`` tells that the guest is in it, and stopped; ``digest`` is known
    when it has been sent, which it is not to this host itself.

    :param driver: the libvirt driver.
    :param migration: the uuid of Nova's migration record.
    :param address: that host's for such copies, its
        ``[libvirt] migration_inbound_addr``.
    """

    def __init__(
        self,
        driver: Any,
        context: Any,
        instance: Any,
        migration: str,
        address: str,
    ) -> None:
        self._driver = driver
        self._context = context
        self._instance = instance
        self._migration = migration
        self._address = address
        self.image = driver.checkpoints.image(instance.uuid)
        self.saved = False
        self.digest = ''

    def save_and_send(self) -> None:
        """Stop the guest into its checkpoint, and send that.

        A guest that stays on its host has it already.

        :raises nova.exception.MigrationError: naming the step that failed;
            the guest runs on unless ``saved``.
        """
        stays = self._address == self._driver.get_host_ip_addr()
        self.record(Step.SAVING)
        with self._step('numa_migrate_checkpoint'):
            domain = self._driver._host.get_guest(self._instance)._domain
            with limits.deadline('checkpoint_timeout', domain.abortJob):
                domain.saveFlags(str(self.image), None, 0)
            # Whatever fails from here on, the guest goes on from it.
            self.saved = True
            privsep.take_over(str(self.image), *self._driver.user_and_group)
            if stays:
                self._keep()
        if not stays:
            with self._step('numa_migrate_transfer'):
                self._send()

    def _send(self) -> None:
        """Send the file, keep it, and read it for its digest, all at once."""
        with futures.ThreadPoolExecutor(2) as pool:
            keeping = pool.submit(self._keep)
            reading = pool.submit(digest.of_file, self.image)
            self._driver.transport.send(self.image, self._address)
            keeping.result()
            self.digest = reading.result()

    def _keep(self) -> None:
        """Have the file outlive the power of this host, and say so.

        libvirt leaves it in the host's memory, and the disk takes its time:
        a service that starts before has to ask whether it is whole.
        """
        journal.sync(self.image)
        self.record(Step.SAVED)

    def record(self, reached: Step) -> None:
        """Write down how far this host has got."""
        self._driver.checkpoints.record(
            self._instance.uuid,
            Journal(self._migration, reached, self.digest),
        )

    def _step(self, name: str) -> AbstractContextManager[None]:
        return step(self._context, self._instance, name)


def withdraw(driver: Any, instance: Any, address: str) -> None:
    """Remove the checkpoint from the host at the other end.

    The guest runs, which outweighs it: failures are logged.
    """
    if address == driver.get_host_ip_addr():
        # It is this one: there is no other checkpoint.
        return
    image = driver.checkpoints.image(instance.uuid)
    try:
        driver.transport.withdraw(image, address)
    except Exception:
        LOG.exception(
            'Checkpoint %(image)s on host %(host)s could not be removed: it '
            'holds the memory of the guest, remove it by hand',
            {'image': image, 'host': address},
            instance=instance,
        )
