# SPDX-License-Identifier: Apache-2.0
"""Moves that were handed to this host, and whose message may never come.

The source says in the database that the server is here, and then sends a
message to have it finished.  Where it dies between the two, or the message is
lost with the bus, nobody would ever finish it.  All that the message says is
in the database as well, so this host takes the move up without it; a message
that comes after all finds nothing to do.
"""

from __future__ import annotations

import contextlib
from typing import Any

from nova import objects
from nova import utils as nova_utils
from nova.compute import task_states
from oslo_log import log as logging
from oslo_utils import timeutils

from nova_numa_migrate.compute import under_way
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State

LOG = logging.getLogger(__name__)

#: This host is at it.
STEP = 'arrival'

#: Seconds in which a message may be on its way, and nothing is wrong.
PATIENCE = 60

#: The source has done its part.
_HANDED_OVER = (State.SAVED, State.NONE)


def take_up(
    manager: Any, context: Any, attributes: list[str], patience: int = 0
) -> None:
    """Finish what was handed to this host; a failure stops no other.

    :param attributes: those that a message has of an instance.
    :param patience: leave alone what is not older, in seconds.
    """
    for instance, move in under_way.moves(
        manager,
        context,
        [task_states.RESIZE_MIGRATED],
        _HANDED_OVER,
        attributes,
    ):
        if timeutils.is_older_than(instance.updated_at, patience):
            _take_up(manager, context, instance, move)


def _take_up(manager: Any, context: Any, instance: Any, move: Move) -> None:
    LOG.warning(
        'The guest was handed to this host and nobody has had it go on: its '
        'move is finished now',
        instance=instance,
    )
    try:
        manager.finish_resize(
            context,
            move.disk_info,
            nova_utils.get_image_from_system_metadata(
                instance.system_metadata
            ),
            instance,
            objects.Migration.get_by_uuid(context, move.migration),
            under_way.request_spec(context, instance),
        )
    except Exception:
        LOG.exception('The move could not be finished', instance=instance)


def once(
    context: Any, instance: Any, migration: Any
) -> contextlib.AbstractContextManager[bool]:
    """Whether a migration has yet to be finished here; nobody else begins."""
    return under_way.once(
        STEP, context, instance, migration, task_states.RESIZE_MIGRATED
    )
