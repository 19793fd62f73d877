# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that nobody needs any more are deleted, whatever left them.

A checkpoint holds a guest's secrets.  Each move deletes its own; this finds
those of a server that was deleted, or of a service that died before it came
to that.
"""

from __future__ import annotations

from typing import Any

from nova import exception
from nova import objects
from nova.compute import vm_states
from oslo_log import log as logging

from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State

LOG = logging.getLogger(__name__)


def sweep(manager: Any, context: Any) -> None:
    """Delete what no move needs; a failure of one does not stop the others.

    The files are listed before the database is read: a move is in it before
    its file is made.
    """
    store = manager.driver.checkpoints
    for uuid in sorted(store.instances()):
        try:
            if not _is_needed(context, uuid):
                LOG.warning(
                    'The checkpoint of instance %s is of no use to anybody '
                    'and is deleted',
                    uuid,
                )
                store.discard(uuid)
        except Exception:
            LOG.exception('The checkpoint of instance %s stays', uuid)


def _is_needed(context: Any, uuid: str) -> bool:
    try:
        instance = objects.Instance.get_by_uuid(
            context, uuid, expected_attrs=['system_metadata']
        )
    except exception.InstanceNotFound:
        return False
    move = Move.of(instance.system_metadata)
    if move is None or move.state is State.NONE:
        return False
    # The guest goes on elsewhere; its source waits for confirm or revert.
    over = move.state is State.RESTORED and instance.task_state is None
    return not over or bool(instance.vm_state == vm_states.RESIZED)
