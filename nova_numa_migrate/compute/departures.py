# SPDX-License-Identifier: Apache-2.0
"""Moves that this host, the source, had begun when its service died.

When it starts again, Nova has the guest go on here and forgets the rest: the
migration is under way for ever, the allocations are those of a guest that
left, the destination keeps its claim and its copies.  All of it is given back
here, by what the database says, so that a service that dies once more ends it
the next time.
"""

from __future__ import annotations

from typing import Any

from nova import objects
from nova.compute import utils as compute_utils
from oslo_log import log as logging

from nova_numa_migrate import move as moves
from nova_numa_migrate.compute import way_home
from nova_numa_migrate.move import Move

LOG = logging.getLogger(__name__)

#: Of a migration whose source is at work.
_STATUSES = ['migrating', 'post-migrating']
_ATTRIBUTES = ['info_cache', 'migration_context', 'system_metadata']


def asked_by(instance: Any, migration: Any) -> Move | None:
    """The move that a migration from here is, None for a plain one.

    One left over from an earlier migration is forgotten: neither a source nor
    a destination without the plugin does so, and it would have the guest
    saved for a host that knows nothing of checkpoints.
    """
    found = Move.of(instance.system_metadata, migration.uuid)
    if found is None:
        moves.forget(instance.system_metadata)
    return found


def recover(manager: Any, context: Any) -> None:
    """Give back what each such move holds; a failure stops no other.

    To be called when Nova has started its guests, and before it counts this
    host's resources and the service takes messages.
    """
    begun = objects.MigrationList.get_by_filters(
        context,
        {
            'source_compute': manager.host,
            'status': _STATUSES,
            'migration_type': 'migration',
        },
    )
    for migration in begun:
        try:
            instance = objects.Instance.get_by_uuid(
                context, migration.instance_uuid, expected_attrs=_ATTRIBUTES
            )
            if _came_back(manager, instance, migration):
                _give_back(manager, context, instance, migration)
        except Exception:
            LOG.exception(
                'Not all that migration %(migration)s of server %(server)s '
                'to %(host)s holds could be given back; the next start of '
                'the service tries again',
                {
                    'migration': migration.uuid,
                    'server': migration.instance_uuid,
                    'host': migration.dest_compute,
                },
            )


def _came_back(manager: Any, instance: Any, migration: Any) -> bool:
    """Whether Nova has taken this move back, and the guest needs no more."""
    if Move.of(instance.system_metadata, migration.uuid) is None:
        return False
    if instance.host != manager.host or instance.task_state is not None:
        return False
    if manager.driver.checkpoints.journal(instance.uuid) is None:
        return True
    LOG.error(
        'The guest was saved when the service ended, and could not be '
        'brought back: its checkpoint is kept. See the error before this one',
        instance=instance,
    )
    return False


def _give_back(
    manager: Any, context: Any, instance: Any, migration: Any
) -> None:
    LOG.warning(
        'The service ended while the guest was being moved to %s: the guest '
        'has stayed here',
        migration.dest_compute,
        instance=instance,
    )
    with compute_utils.EventReporter(
        context, way_home.EVENT, manager.host, instance.uuid
    ):
        manager._revert_allocation(context, instance, migration)
        manager.driver.withdraw(instance, migration.dest_host)
        way_home.call_off(manager, context, instance, migration)
        instance.drop_migration_context()
        moves.forget(instance.system_metadata)
        instance.save()
        # Last: by this the next start knows that there is nothing to do.
        # The destination's audit gives back what was claimed there.
        migration.status = 'error'
        migration.save()
