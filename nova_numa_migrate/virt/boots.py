# SPDX-License-Identifier: Apache-2.0
"""Where Nova boots a guest of its own accord, with or without a state.

With ``resume_guests_state_on_host_boot`` Nova boots, as its service starts,
each guest that ran and does not run any more.  One that is in a checkpoint, or
on its way from one host to the other, does not run either: booted from disks
that belong to its checkpoint, or to the other host, it would lose its state.

A guest that is made anew has lost it: by an evacuation its disks, or its
volumes, go on without what was saved before.  So has one that is booted from
its disks in any other way.
"""

from __future__ import annotations

from typing import Any

from nova import exception
from nova.compute import task_states
from oslo_log import log as logging
from oslo_service import loopingcall

from nova_numa_migrate import move
from nova_numa_migrate.move import Move
from nova_numa_migrate.virt import homecoming

LOG = logging.getLogger(__name__)

#: Of a guest whose move, or revert, goes on when the service has started.
_ON_ITS_WAY = (
    task_states.RESIZE_MIGRATING,
    task_states.RESIZE_MIGRATED,
    task_states.RESIZE_FINISH,
    task_states.RESIZE_REVERTING,
)

# Nova's libvirt driver, which it is mixed into.
_Driver: Any = object


class BootsMixin(_Driver):
    """Boots from the disks, of Nova's own accord or by request."""

    def resume_state_on_host_boot(
        self, context: Any, instance: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Boot what ran when the host went down, but no guest on a move."""
        reason = self._not_to_be_booted(instance)
        if reason is None:
            super().resume_state_on_host_boot(
                context, instance, *args, **kwargs
            )
            return
        LOG.warning(
            'The guest is not booted with its host: %s',
            reason,
            instance=instance,
        )

    def spawn(
        self, context: Any, instance: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Make a guest anew; none is restored over what it does from now on.

        Its host may be down, and the checkpoint there: without its move that
        is of no use, wherever the guest comes to be, and is swept away.
        """
        if Move.of(instance.system_metadata) is not None:
            move.forget(instance.system_metadata)
            instance.save()
        super().spawn(context, instance, *args, **kwargs)

    def rescue(
        self, context: Any, instance: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Boot from another image, but no guest that has a state to lose.

        A rescue is there to write to the guest's disks.

        :raises nova.exception.NovaException: saying what to do first.
        """
        if self.has_pending_state(instance):
            # Nova cuts it off, and begins it with words of its own.
            raise exception.NovaException(
                'the guest\'s state is in its checkpoint. Have it go on with '
                '"openstack server reboot --hard", or give the state up with '
                '"openstack server stop" and "start"'
            )
        super().rescue(context, instance, *args, **kwargs)

    def _create_guest(
        self,
        context: Any,
        xml: str,
        instance: Any,
        power_on: bool = True,
        pause: bool = False,
        *args: Any,
    ) -> Any:
        """Boot; no state of before meets the disks any more."""
        if power_on or pause:
            homecoming.boots(self, context, instance)
        return super()._create_guest(
            context, xml, instance, power_on, pause, *args
        )

    def _wait_for_running(self, instance: Any) -> None:
        """Wait until the guest runs, but not for one that was restored.

        It has gone on.  Where it has crashed since, has shut itself down or
        stands still for want of space, Nova would wait for ever.
        """
        if self.checkpoints.is_spent(instance.uuid):
            raise loopingcall.LoopingCallDone()
        super()._wait_for_running(instance)

    def _not_to_be_booted(self, instance: Any) -> str | None:
        """Why the guest has to wait, or None where it need not."""
        if Move.of(instance.system_metadata) is None:
            return None
        if instance.task_state in _ON_ITS_WAY:
            return (
                'it is on a hinted migration, which goes on when the service '
                f'has started ({instance.task_state})'
            )
        if self.has_pending_state(instance):
            return (
                'its state is in its checkpoint. Have it go on from there '
                'with "openstack server reboot --hard"'
            )
        return None
