# SPDX-License-Identifier: Apache-2.0
"""Volumes that come and go while a guest can still be taken home.

Nova lets a volume be attached, or detached, while a move waits for its confirm
or revert.  The checkpoint that the source has kept knows nothing of that:
restored, it would lack the one, or miss the other.  From then on the guest
has to go home as it is, as one with files and volumes does.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from oslo_log import log as logging

from nova_numa_migrate.move import Disks
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State
from nova_numa_migrate.virt import outbound

LOG = logging.getLogger(__name__)

# Nova's libvirt driver, which it is mixed into.
_Driver: Any = object


class VolumesMixin(_Driver):
    """What changes the disks of a guest that has moved here."""

    def attach_volume(
        self,
        context: Any,
        connection_info: Any,
        instance: Any,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Attach; the guest's old checkpoint lacks that disk."""
        _outgrow(self, instance)
        super().attach_volume(
            context, connection_info, instance, *args, **kwargs
        )

    def detach_volume(
        self,
        context: Any,
        connection_info: Any,
        instance: Any,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Detach; the guest's old checkpoint needs that disk."""
        _outgrow(self, instance)
        super().detach_volume(
            context, connection_info, instance, *args, **kwargs
        )


def _outgrow(driver: Any, instance: Any) -> None:
    """Before the disks change: the source's checkpoint is of no use any more.

    :raises Exception: when that cannot be written down.
    """
    move = Move.of(instance.system_metadata)
    if move is None or move.state is not State.RESTORED:
        return
    if move.disks is not Disks.KEPT:
        return
    LOG.info('A revert takes the guest home as it is', instance=instance)
    mixed = dataclasses.replace(move, disks=Disks.MIXED)
    mixed.store(instance.system_metadata)
    instance.save()
    outbound.withdraw(driver, instance, move.home)
