# SPDX-License-Identifier: Apache-2.0
"""Volumes that come and go while a guest can still be taken home.

Nova lets a volume be attached, or detached, while a move waits for its confirm
or revert.  The checkpoint that the source has kept knows nothing of that:
restored, it would lack the one, or miss the other.  From then on the guest
has to go home as it is, as one with files and volumes does.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import dataclasses
from typing import Any

from nova import exception
from nova import objects
from nova.compute import task_states
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
        with _outgrowing(self, context, instance):
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
        with _outgrowing(self, context, instance):
            super().detach_volume(
                context, connection_info, instance, *args, **kwargs
            )


@contextlib.contextmanager
def _outgrowing(driver: Any, context: Any, instance: Any) -> Iterator[None]:
    """The disks change: the source's checkpoint is of no use from then on.

    That is written down before, and the checkpoint removed after it.  A
    revert does not wait for such a change, and may need it until then.

    :raises nova.exception.NovaException: when the server is reverted.
    :raises Exception: when that cannot be written down.
    """
    move = Move.of(instance.system_metadata)
    is_kept = (
        move is not None
        and move.state is State.RESTORED
        and move.disks is Disks.KEPT
    )
    if move is None or not is_kept:
        yield
        return
    if _is_reverted(context, instance):
        raise exception.NovaException(
            'the server is being reverted, to disks of before'
        )
    LOG.info('A revert takes the guest home as it is', instance=instance)
    mixed = dataclasses.replace(move, disks=Disks.MIXED)
    mixed.store(instance.system_metadata)
    instance.save()
    yield
    if not _is_reverted(context, instance):
        outbound.withdraw(driver, instance, move.home)


def _is_reverted(context: Any, instance: Any) -> bool:
    known = objects.Instance.get_by_uuid(context, instance.uuid)
    return bool(known.task_state == task_states.RESIZE_REVERTING)
