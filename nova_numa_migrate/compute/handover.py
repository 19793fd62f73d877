# SPDX-License-Identifier: Apache-2.0
"""A hand-over to the destination that failed when it had happened.

The last that Nova does of a move at the source is to save the server as the
destination's, and to send the destination a message.  Where the save is done
and its answer lost, or the message cannot be sent, Nova's handlers put the
server in error, and save with that whatever the save had not.  So the server
is at the destination, its guest is in the checkpoint, and without its task
nobody would ever finish it.
"""

from __future__ import annotations

from typing import Any

from nova import exception
from nova import objects
from nova.compute import task_states
from oslo_log import log as logging

LOG = logging.getLogger(__name__)


def stands(
    context: Any,
    instance: Any,
    migration: Any,
    vm_state: str,
    error: Exception,
) -> bool:
    """Whether the move goes on at the destination, whatever failed here.

    Then nobody may hear of the failure: Nova would take the server's task,
    and give the source's resources back to it.

    :param vm_state: of the server before it was moved.
    """
    if isinstance(error, exception.UnexpectedDeletingTaskStateError):
        # The server is the delete's.
        return False
    LOG.error(
        'The guest was handed to %s, and that failed at its end: its move is '
        'finished there in about a minute',
        migration.dest_compute,
        instance=instance,
    )
    try:
        _take_back_the_error(context, instance, migration, vm_state)
    except Exception:
        # The destination does not look at it, see arrivals.
        LOG.exception(
            'The server shows an error until then', instance=instance
        )
    return True


def _take_back_the_error(
    context: Any, instance: Any, migration: Any, vm_state: str
) -> None:
    """What Nova's handlers have said, unless the destination is at work."""
    known = objects.Instance.get_by_uuid(context, instance.uuid)
    if known.task_state != task_states.RESIZE_MIGRATED:
        return
    known.vm_state = vm_state
    known.save(expected_task_state=task_states.RESIZE_MIGRATED)
    migration.status = 'post-migrating'
    migration.save()
