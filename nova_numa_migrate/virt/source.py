# SPDX-License-Identifier: Apache-2.0
"""The source's side: a guest is saved instead of powered off.

Nova's ``migrate_disk_and_power_off`` does everything around it: the
destination's directory, ports, volumes, disks.  Where it would power the
guest off, the guest is checkpointed and the checkpoint is sent; so a failure
of either finds the disks where they were.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nova import exception
from nova import objects
from nova.compute import power_state
from nova.compute import vm_states
import nova.conf
from nova.virt import driver as virt_driver
from nova.virt.libvirt import utils as libvirt_utils
from oslo_log import log as logging
from oslo_utils import excutils
from oslo_utils import uuidutils

from nova_numa_migrate import move as moves
from nova_numa_migrate.checkpoint import demand as demands
from nova_numa_migrate.checkpoint.journal import Step
from nova_numa_migrate.guest_xml import disks as guest_disks
from nova_numa_migrate.hint import CheckpointMode
from nova_numa_migrate.move import Disks
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State
from nova_numa_migrate.virt import disks
from nova_numa_migrate.virt import interrupted
from nova_numa_migrate.virt import outbound
from nova_numa_migrate.virt import savable
from nova_numa_migrate.virt.step import step

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)


class Departure:
    """One guest leaving this host.

    :param driver: the libvirt driver.
    :param move: what is being done.
    :param dest: the destination's address for such copies, its
        ``[libvirt] migration_inbound_addr``.
    """

    def __init__(
        self,
        driver: Any,
        context: Any,
        instance: Any,
        move: Move,
        dest: str,
        network_info: Any,
        block_device_info: Any,
    ) -> None:
        self._driver = driver
        self._context = context
        self._instance = instance
        self._move = move
        self._dest = dest
        self._network_info = network_info
        self._block_device_info = block_device_info
        self._out = outbound.Outbound(
            driver, context, instance, move.migration, dest
        )

    def run(
        self,
        migrate: Callable[[], str],
        save_and_migrate: Callable[[], str],
    ) -> str:
        """Migrate the guest, with its state unless it has to be without.

        :param migrate: Nova's own method, bound to its arguments.
        :param save_and_migrate: the same, with the power-off replaced.
        :returns: what Nova's method returns, the description of the disks.
        :raises nova.exception.InstanceFaultRollback: when the guest could
            not be moved and goes on here.
        """
        try:
            return self._run(migrate, save_and_migrate)
        except exception.InstanceFaultRollback:
            # Nova saves this as it resets the server, after which the next
            # request may come: whoever forgot the move later would forget
            # that one's.
            moves.forget(self._instance.system_metadata)
            self._drop_context()
            raise

    def _drop_context(self) -> None:
        """Give the claim up; a failure must not hide that the guest goes on.

        Whatever does not answer may be what the move failed of.
        """
        try:
            self._instance.drop_migration_context()
        except Exception:
            LOG.exception(
                'The migration context is dropped when the server is reset',
                instance=self._instance,
            )
            # Nova saves it so with that.
            self._instance.migration_context = None

    def _run(
        self,
        migrate: Callable[[], str],
        save_and_migrate: Callable[[], str],
    ) -> str:
        metadata = self._instance.system_metadata
        if not self._saves_state():
            without = self._move.with_state(State.NONE)
            without.store(metadata)
            disk_info = migrate()
            without.left(disk_info).store(metadata)
            return disk_info
        try:
            at_a_revert = self._disks_at_a_revert()
            disks.remove_leftover(self._instance)
            if not self._move.in_place:
                disks.make_whole(self._driver, self._instance)
            # Until it is its turn the guest runs on.
            with self._driver.slots:
                disk_info = save_and_migrate()
                if not self._move.in_place:
                    disks.bring_swap(self._driver, self._instance, self._dest)
            self._note_sent()
        except exception.InstanceFaultRollback:
            # Nova raises it only before the power-off.
            raise
        except Exception as error:
            if not self._out.saved and not self._is_here():
                self._out.saved = self._is_whole()
            self._go_on_here()
            raise exception.InstanceFaultRollback(
                inner_exception=error
            ) from error
        self._move.left(disk_info).saved(
            self._out.digest, at_a_revert, self._driver.get_host_ip_addr()
        ).store(metadata)
        return disk_info

    def _note_sent(self) -> None:
        """All is at the destination: a full disk here is no reason to go back.

        Without that entry the guest's way home is the same.
        """
        try:
            self._out.record(Step.SENT)
        except OSError as error:
            LOG.warning(
                'It could not be written down that the guest was sent: %s',
                error,
                instance=self._instance,
            )

    def save_and_send(self) -> None:
        """Checkpoint the guest and bring the file to the destination.

        :raises nova.exception.MigrationError: naming the step that failed;
            when it is the save, the guest runs on.
        """
        with step(self._context, self._instance, 'numa_migrate_check'):
            self._ask_destination()
        self._out.save_and_send()

    def _ask_destination(self) -> None:
        """The last look at both hosts while the guest still runs.

        :raises nova.exception.MigrationPreCheckError: with every reason.
        """
        migration = objects.Migration.get_by_uuid(
            self._context, self._move.migration
        )
        demand = self._driver.demand_of(self._instance)
        shortage = demands.disk_shortage(
            self._driver.checkpoints.root, demand.kib
        )
        refusals = [
            *([demands.told(CONF.host, [shortage])] if shortage else ()),
            *self._driver.peers.check_destination(
                self._context, migration.dest_compute, self._instance, demand
            ),
        ]
        if refusals:
            raise exception.MigrationPreCheckError(
                reason=f'{"; ".join(refusals)}. The guest runs on'
            )

    def _saves_state(self) -> bool:
        """Whether the guest goes with its state.

        :raises nova.exception.InstanceFaultRollback: when it has to, and
            cannot.
        """
        if self._move.checkpoint is CheckpointMode.NEVER:
            return False
        if self._instance.vm_state == vm_states.STOPPED:
            return False
        found = self._blockers()
        if found and self._move.checkpoint is CheckpointMode.REQUIRED:
            raise exception.InstanceFaultRollback(
                inner_exception=exception.MigrationPreCheckError(
                    reason=f'The guest of server {self._instance.uuid} on '
                    f'host {CONF.host} cannot be checkpointed: '
                    f'{"; ".join(found)}. Remove the cause, or move the '
                    'server without its state with the hint '
                    'numa_checkpoint=preferred'
                )
            )
        return not found

    def _blockers(self) -> list[str]:
        mapping = virt_driver.block_device_info_get_mapping(
            self._block_device_info
        )
        return savable.blockers_of(
            self._driver,
            self._instance,
            (volume['mount_device'] for volume in mapping),
        )

    def _state(self) -> int:
        guest = self._driver._host.get_guest(self._instance)
        return int(guest.get_power_state(self._driver._host))

    def _is_here(self) -> bool:
        try:
            state = self._state()
        except exception.NovaException:
            return False
        return state in (power_state.RUNNING, power_state.PAUSED)

    def _is_whole(self) -> bool:
        """Whether a guest that stopped while it was being saved is saved.

        Where its memory is lost, it is off, as any guest that crashed: Nova
        is told so by libvirt, and it can be started from its disks.

        :raises Exception: when libvirt does not say; the file stays.
        """
        ending = interrupted.ending(self._driver, self._instance)
        return ending is interrupted.Ending.SAVED

    def _disks_at_a_revert(self) -> Disks:
        if self._move.in_place:
            return Disks.SHARED
        guest = self._driver._host.get_guest(self._instance)
        return guest_disks.at_a_revert(
            guest.get_xml_desc(),
            libvirt_utils.get_instance_path(self._instance),
        )

    def _go_on_here(self) -> None:
        """Undo: the guest runs on this host, with its state."""
        store = self._driver.checkpoints
        if self._out.saved:
            LOG.warning(
                'The guest goes on here from its checkpoint: it could not '
                'be moved to %s',
                self._dest,
                instance=self._instance,
            )
            self._bring_back()
        withdraw(self._driver, self._instance, self._dest)
        store.discard(self._instance.uuid)

    def _bring_back(self) -> None:
        try:
            self._driver.bring_back(
                self._context,
                self._instance,
                self._network_info,
                self._block_device_info,
            )
        except Exception:
            with excutils.save_and_reraise_exception(logger=LOG):
                self._keep()

    def _keep(self) -> None:
        """For whoever tries it again; why it failed is what has to be told."""
        try:
            self._out.record(Step.SAVED)
        except OSError:
            LOG.exception(
                'It could not be written down that the guest is in its '
                'checkpoint',
                instance=self._instance,
            )


def withdraw(driver: Any, instance: Any, dest: str) -> None:
    """Remove from the other host all that a move has brought there.

    The guest runs again here, which outweighs it: failures are logged.

    :param dest: that host's address.
    """
    outbound.withdraw(driver, instance, dest)
    path = libvirt_utils.get_instance_path(instance)
    try:
        _remove_directory(driver, path, dest)
    except Exception:
        LOG.exception(
            'The copy of %(path)s could not be removed from host %(host)s, '
            'which holds the disks of the guest there until its own sweep',
            {'path': path, 'host': dest},
            instance=instance,
        )


def _remove_directory(driver: Any, path: str, dest: str) -> None:
    """Remove the other host's directory, which must not be this one.

    Nova's own question for that has a host that does not answer share
    nothing; here it has to answer.
    """
    if dest == driver.get_host_ip_addr():
        return
    probe = Path(path, f'{uuidutils.generate_uuid(dashed=False)}.tmp')
    driver._remotefs.create_dir(dest, path)
    driver._remotefs.create_file(dest, str(probe))
    if probe.exists():
        probe.unlink()
    else:
        driver._remotefs.remove_dir(dest, path)
