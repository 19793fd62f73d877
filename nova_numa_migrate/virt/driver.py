# SPDX-License-Identifier: Apache-2.0
"""The libvirt driver of nova-numa-compute: where Nova's driver is entered.

Each override is an entrance of a few lines; what happens behind it is in the
other modules of this room.  Arguments that are only handed through are not
named: they differ between the releases of Nova.
"""

from __future__ import annotations

from collections.abc import Callable
import functools
import os
from pathlib import Path
from typing import Any

from nova.compute import task_states
import nova.conf
from nova.virt.libvirt import driver as libvirt_driver
from oslo_log import log as logging
from oslo_utils import excutils

from nova_numa_migrate import privsep
from nova_numa_migrate import rpc
from nova_numa_migrate.checkpoint import transport
from nova_numa_migrate.checkpoint.journal import Journal
from nova_numa_migrate.checkpoint.journal import Step
from nova_numa_migrate.checkpoint.store import CheckpointStore
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State
from nova_numa_migrate.placement import distances
from nova_numa_migrate.placement import hosts
from nova_numa_migrate.virt import boots
from nova_numa_migrate.virt import bound
from nova_numa_migrate.virt import brought
from nova_numa_migrate.virt import connection
from nova_numa_migrate.virt import destination
from nova_numa_migrate.virt import disks
from nova_numa_migrate.virt import entrance
from nova_numa_migrate.virt import guests
from nova_numa_migrate.virt import homecoming
from nova_numa_migrate.virt import in_place
from nova_numa_migrate.virt import limits
from nova_numa_migrate.virt import provider
from nova_numa_migrate.virt import second_copy
from nova_numa_migrate.virt import source
from nova_numa_migrate.virt import volumes

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)


class NumaLibvirtDriver(
    guests.GuestsMixin,
    boots.BootsMixin,
    provider.ProviderMixin,
    volumes.VolumesMixin,
    bound.BoundGuestsMixin,
    libvirt_driver.LibvirtDriver,
):
    """Nova's libvirt driver; a hinted migration keeps the guest's state."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        connection.outlive_the_daemon(self._host)
        self.checkpoints = CheckpointStore(
            Path(CONF.numa_migrate.checkpoint_path)
        )
        self.transport = transport.load(CONF.numa_migrate.transport)
        self.user_and_group = os.getuid(), os.getgid()
        self.slots = limits.slots()
        self.capabilities[provider.CAPABILITY] = True
        # Where a guest's power-off and its start are replaced.
        self._entrance = entrance.Entrance()

    @functools.cached_property
    def peers(self) -> rpc.NumaComputeAPI:
        """The other hosts that run the plugin."""
        return rpc.NumaComputeAPI()

    def init_host(self, host: str) -> None:
        """Start; the directory of the checkpoints is made this host's own."""
        self.checkpoints.prepare()
        self.checkpoints.claim(host)
        privsep.start()
        super().init_host(host)

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        """Nova's report, and what it does not say of this host."""
        report: dict[str, Any] = super().get_available_resource(nodename)
        report.setdefault('stats', {}).update(
            {
                hosts.STATS_KEY: hosts.STATS_VALUE,
                distances.STATS_KEY: distances.read(),
            }
        )
        return report

    # The source ----------------------------------------------------------

    def migrate_disk_and_power_off(
        self,
        context: Any,
        instance: Any,
        dest: str,
        flavor: Any,
        network_info: Any,
        block_device_info: Any = None,
        timeout: int = 0,
        retry_interval: int = 0,
    ) -> str:
        """Move the guest's disks, and its state if its move says so."""
        migrate = functools.partial(
            super().migrate_disk_and_power_off,
            context,
            instance,
            dest,
            flavor,
            network_info,
            block_device_info,
            timeout,
            retry_interval,
        )
        move = Move.of(instance.system_metadata)
        if move is None:
            return str(migrate())
        if move.in_place:
            migrate = functools.partial(
                in_place.migrate,
                self,
                context,
                instance,
                network_info,
                block_device_info,
                timeout,
                retry_interval,
            )
        departure = source.Departure(
            self,
            context,
            instance,
            move,
            dest,
            network_info,
            block_device_info,
        )
        return departure.run(
            migrate,
            lambda: self._entrance.run(
                'power_off', instance.uuid, departure.save_and_send, migrate
            ),
        )

    def power_off(
        self, instance: Any, timeout: int = 0, retry_interval: int = 0
    ) -> None:
        """Power the guest off, or save it where its move does so."""
        save = self._entrance.take('power_off', instance.uuid)
        if save is not None:
            save()
            # The domain is off; what Nova has to give back at a power-off
            # (serial ports, the power of dedicated CPUs) is still to do.
            timeout = 0
        super().power_off(instance, timeout, retry_interval)

    def confirm_migration(
        self, context: Any, migration: Any, instance: Any, *args: Any
    ) -> None:
        """Clean up; the source's checkpoint has had its day."""
        self.checkpoints.discard(instance.uuid)
        super().confirm_migration(context, migration, instance, *args)

    # The destination, and the way back ------------------------------------

    def finish_migration(
        self,
        context: Any,
        migration: Any,
        instance: Any,
        disk_info: str,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Start the guest, from its checkpoint if its move has one."""
        novas = super().finish_migration

        def finish(disk_info: str = disk_info) -> None:
            novas(context, migration, instance, disk_info, *args, **kwargs)

        move = Move.of(instance.system_metadata, migration.uuid)
        bound.arrive(instance, migration, move)
        if move is None:
            finish()
            return
        if move.state is not State.SAVED:
            finish()
            # It is not awaited any more.
            self.checkpoints.discard(instance.uuid)
            disks.keep_what_came(instance)
            return
        image = self.checkpoints.image(instance.uuid)
        destination.require(image)
        self.checkpoints.record(
            instance.uuid,
            Journal(move.migration, Step.RESTORING, digest=move.digest),
        )
        try:
            self._restoring(
                'restore',
                context,
                instance,
                image,
                move.digest,
                functools.partial(finish, disks.to_convert(disk_info)),
            )
        except Exception:
            with excutils.save_and_reraise_exception(logger=LOG):
                if self.has_run(instance, move):
                    move.with_state(State.RESTORED).store(
                        instance.system_metadata
                    )
        self.has_arrived(instance, move)
        destination.verify(context, instance, move)

    def finish_revert_migration(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        migration: Any,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Bring the guest back, from the checkpoint where it is right."""
        finish = functools.partial(
            super().finish_revert_migration,
            context,
            instance,
            network_info,
            migration,
            *args,
            **kwargs,
        )
        bound.come_home(instance, migration)
        home = homecoming.Homecoming.of(self, instance)
        if home.journal is not None:
            self._bring_back(context, instance, home.journal.digest, finish)
        elif not home.still_here:
            with destination.one_flavor(instance):
                finish()
        if home.brought:
            homecoming.over(self, context, instance)
        self.checkpoints.discard(instance.uuid)

    def reboot(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        reboot_type: str,
        block_device_info: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Reboot; a guest whose checkpoint is pending goes on from it.

        That is how an operator brings it back after both hosts failed.
        """
        journal = None
        if reboot_type == 'HARD':
            journal = homecoming.pending(self, instance)
        if journal is None:
            super().reboot(
                context,
                instance,
                network_info,
                reboot_type,
                block_device_info,
                *args,
                **kwargs,
            )
            return
        self.bring_back(
            context,
            instance,
            network_info,
            block_device_info,
            journal.digest,
        )
        homecoming.over(self, context, instance)

    def power_on(self, context: Any, instance: Any, *args: Any) -> None:
        """Boot; what was saved of the guest before is given up by that."""
        homecoming.over(self, context, instance, State.NONE)
        super().power_on(context, instance, *args)

    def bring_back(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any,
        digest: str = '',
    ) -> None:
        """Have a saved guest go on here, from the checkpoint on this host.

        By Nova's own way back from a migration.

        :param digest: empty where the checkpoint has never been sent.
        :raises nova.exception.MigrationError: saying what can be done.
        """
        finish = functools.partial(
            super().finish_revert_migration,
            context,
            instance,
            network_info,
            None,
            block_device_info,
        )
        self._bring_back(context, instance, digest, finish)

    def _bring_back(
        self,
        context: Any,
        instance: Any,
        digest: str,
        finish: Callable[[], Any],
    ) -> None:
        image = self.checkpoints.image(instance.uuid)
        digest = second_copy.require(self, context, instance, digest)
        with homecoming.keeping(self, instance):
            brought.take(instance)
            disks.keep_as_it_is(self, instance)
            with destination.one_flavor(instance):
                self._restoring(
                    'bring_back', context, instance, image, digest, finish
                )

    def _create_guest(
        self,
        context: Any,
        xml: str,
        instance: Any,
        power_on: bool = True,
        pause: bool = False,
        post_xml_callback: Callable[[], None] | None = None,
    ) -> Any:
        """Define and start a guest, or let it go on from its checkpoint."""
        restore = self._entrance.take('create_guest', instance.uuid)
        if restore is not None and power_on:
            return restore(xml, pause, post_xml_callback)
        return super()._create_guest(
            context, xml, instance, power_on, pause, post_xml_callback
        )

    def delete_instance_files(self, instance: Any) -> Any:
        """Delete what the instance has on this host, checkpoints too.

        But for one that is on its way home: the source says when it has it.
        (A delete at the source leaves the destination's to its sweep.)
        And nothing where home is this host: Nova keeps the disks in such a
        revert, and deletes what is beside them where they are shared.
        """
        move = Move.of(instance.system_metadata)
        reverts = instance.task_state == task_states.RESIZE_REVERTING
        if reverts and move is not None and move.in_place:
            return False
        if move is None or move.state is not State.HOMEWARD or not reverts:
            homecoming.give_up(self, instance)
        return super().delete_instance_files(instance)

    def _restoring(
        self,
        name: str,
        context: Any,
        instance: Any,
        image: Path,
        digest: str,
        finish: Callable[[], Any],
    ) -> None:
        restore = functools.partial(
            destination.restore,
            self,
            context,
            instance,
            # An action's events of one name are one to Nova: the way back
            # must not make the restore that failed a success.
            f'numa_migrate_{name}',
            image,
            digest,
        )
        self._entrance.run('create_guest', instance.uuid, restore, finish)
