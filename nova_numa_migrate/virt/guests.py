# SPDX-License-Identifier: Apache-2.0
"""What our compute manager asks of the driver, beyond what Nova's does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nova import exception
from nova.compute import power_state
from oslo_concurrency import lockutils
from oslo_log import log as logging

from nova_numa_migrate.checkpoint.demand import Demand
from nova_numa_migrate.move import Disks
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State
from nova_numa_migrate.placement.report import CellPlacement
from nova_numa_migrate.virt import awaited
from nova_numa_migrate.virt import brought
from nova_numa_migrate.virt import disks
from nova_numa_migrate.virt import homecoming
from nova_numa_migrate.virt import homeward
from nova_numa_migrate.virt import interrupted
from nova_numa_migrate.virt import outbound
from nova_numa_migrate.virt import pages
from nova_numa_migrate.virt import savable
from nova_numa_migrate.virt import second_copy
from nova_numa_migrate.virt import source

LOG = logging.getLogger(__name__)

# Nova's libvirt driver, which it is mixed into.
_Driver: Any = object


class GuestsMixin(_Driver):
    """Questions about guests, and orders for those on their way."""

    def warm_up(self, context: Any, instance: Any) -> None:
        """Get ready for a guest before it stops: fetch its base image.

        Nova fetches what is missing when the guest has stopped, and from
        elsewhere if need be; so a failure here is no reason to refuse.
        """
        if not instance.image_ref:
            return
        try:
            # Two guests of one image must not fetch it into the same file.
            with lockutils.lock(f'numa-migrate-{instance.image_ref}'):
                self.cache_image(context, instance.image_ref)
        except Exception as error:
            LOG.warning(
                'Image %(image)s could not be fetched ahead: %(error)s',
                {'image': instance.image_ref, 'error': error},
                instance=instance,
            )

    def expect(self, instance: Any, migration: str) -> None:
        """Before a guest is asked to come here; see awaited.expect."""
        awaited.expect(self, instance, migration)

    def expect_no_more(self, instance: Any) -> None:
        """It was not asked; see awaited.expect_no_more."""
        awaited.expect_no_more(self, instance)

    def remove_what_came(self, instance: Any) -> None:
        """Remove the disks of a guest that was awaited; see awaited."""
        awaited.remove(instance)

    def demand_of(self, instance: Any) -> Demand:
        """What the checkpoint of a guest that runs here asks of a host.

        :raises nova.exception.InstanceNotFound: when it is not here.
        """
        guest = self._host.get_guest(instance)
        return Demand.of(
            guest.get_xml_desc(),
            guest._domain.memoryStats().get('rss'),
            self._host.get_version(),
        )

    def blockers_of(self, instance: Any) -> list[str]:
        """Why a guest that runs here cannot be saved; see savable.

        :raises nova.exception.InstanceNotFound: when it is not here.
        """
        volumes = (
            bdm.device_name
            for bdm in instance.get_bdms()
            if bdm.is_volume and bdm.device_name
        )
        return savable.blockers_of(self, instance, volumes)

    def measure(
        self, instance: Any, nodes: Sequence[int]
    ) -> list[CellPlacement]:
        """Where the pages of a guest that runs here are; see virt.pages."""
        return pages.measure(instance, nodes)

    def is_gone(self, instance: Any) -> bool:
        """Whether the guest does not run here, for certain.

        :raises nova.exception.NovaException: when libvirt does not say.
        """
        try:
            state = self.get_info(instance).state
        except exception.InstanceNotFound:
            return True
        return state in (power_state.SHUTDOWN, power_state.CRASHED)

    def stands_still(self, instance: Any) -> bool:
        """Whether the guest is here, and paused.

        :raises nova.exception.NovaException: when libvirt does not say.
        """
        try:
            state: int = self.get_info(instance).state
        except exception.InstanceNotFound:
            return False
        return bool(state == power_state.PAUSED)

    def has_pending_state(self, instance: Any) -> bool:
        """Whether a checkpoint here is all that there is of the guest.

        Yes, too, when libvirt does not say whether the guest runs.
        """
        try:
            return homecoming.pending(self, instance) is not None
        except exception.NovaException as error:
            LOG.warning('The checkpoint is kept: %s', error, instance=instance)
            return True

    def kept(self, reason: str) -> Exception:
        """The error of a guest that waits in its checkpoint here."""
        return homecoming.kept(exception.MigrationError(reason=reason))

    def begin_return(self, instance: Any) -> None:
        """Before Nova takes a guest back; see homecoming.begin."""
        homecoming.begin(self, instance)

    def has_arrived(self, instance: Any, move: Move) -> None:
        """The guest has gone on here; the move is saved with that.

        Nobody needs its checkpoint any more, unless a revert does.
        """
        move.with_state(State.RESTORED).store(instance.system_metadata)
        # First: the checkpoint is all that says so until then.
        instance.save()
        self.checkpoints.discard(instance.uuid)
        if move.disks is not Disks.KEPT:
            # From now on the disks know more than the source's checkpoint.
            outbound.withdraw(self, instance, move.home)
        disks.keep_what_came(instance)

    def has_run(self, instance: Any, move: Move) -> bool:
        """Whether the disks may know more than the guest's checkpoint does.

        Asked of a guest that was to go on here from it and has gone.  Files
        here are copies, which a way home leaves behind.
        """
        return move.disks is not Disks.KEPT and self.checkpoints.is_spent(
            instance.uuid
        )

    def goes_on(self, instance: Any) -> bool:
        """Whether a guest that libvirt was to restore runs here."""
        return interrupted.goes_on(self, instance)

    def has_stayed(self, instance: Any) -> bool:
        """Whether a guest that a move has left goes on here as it is.

        Or is off, and was neither saved nor taken away from here; of one that
        changes its nodes here that is not known.

        :raises Exception: when libvirt does not say.
        """
        if self.checkpoints.is_spent(instance.uuid):
            # It may stand still in the instant before it goes on.
            return self.goes_on(instance)
        if not self.is_gone(instance):
            return True
        move = Move.of(instance.system_metadata)
        return (
            move is not None
            and not move.in_place
            and self.checkpoints.journal(instance.uuid) is None
            and not disks.have_left(instance)
        )

    def send_home(self, context: Any, instance: Any, move: Move) -> None:
        """On a revert, bring the guest's state to the source if it needs it.

        :raises Exception: when it failed; see homeward.send.
        """
        if homeward.goes_with_state(self, instance, move):
            homeward.send(self, context, instance, move)

    def send_again(self, instance: Any, migration: str) -> None:
        """Bring a checkpoint to its source once more.

        :raises Exception: see second_copy.send.
        """
        second_copy.send(self, instance, migration)

    def sync_brought(self, instance: Any, names: Sequence[str]) -> None:
        """Have disk files that were brought here outlive the host's power.

        :raises OSError: see brought.sync.
        """
        brought.sync(instance, names)

    def stay(self, instance: Any, move: Move) -> None:
        """After a crash in ``send_home``; see homeward.stay."""
        homeward.stay(self, instance, move)

    def withdraw(self, instance: Any, dest: str) -> None:
        """Remove from the other host all that a move has brought there."""
        source.withdraw(self, instance, dest)
