# SPDX-License-Identifier: Apache-2.0
"""Volumes of a guest that is at its source again, whose service died.

When a guest has left, Nova deletes the attachments of its volumes and makes
empty ones for whoever has it next.  A source that dies then has volumes that
are exported nowhere, and a record of how they were: by that, Nova connects
them when it starts again, and at each reboot.  What Nova's own revert does of
attachments is done here instead.
"""

from __future__ import annotations

from typing import Any

from oslo_log import log as logging

from nova_numa_migrate.move import Move

LOG = logging.getLogger(__name__)


def renew(manager: Any, context: Any, instance: Any) -> None:
    """Before a guest on a move is started here: know how its volumes are.

    A failure is logged: what is known may be right, as with NFS or RBD.

    :param manager: the compute manager of this host.
    """
    try:
        on_a_move = Move.of(instance.system_metadata) is not None
        if on_a_move and manager.driver.is_gone(instance):
            bdms = _fill(manager, context, instance)
            # Nova reads them from the database.
            manager._get_instance_block_device_info(
                context, instance, refresh_conn_info=True, bdms=bdms
            )
    except Exception:
        LOG.exception(
            'The volumes of the guest are connected as they were before its '
            'move',
            instance=instance,
        )


def complete(manager: Any, context: Any, instance: Any) -> None:
    """When a guest on a move goes on here: its volumes are in use.

    A failure is logged: the guest goes on, and nothing else waits for that.

    :param manager: the compute manager of this host.
    """
    try:
        bdms = _fill(manager, context, instance)
        manager._complete_volume_attachments(context, bdms)
    except Exception:
        LOG.exception(
            'Cinder could not be told that the guest uses its volumes. It '
            'cannot detach one that is not "in-use" there: have it complete '
            'its attachment with "openstack volume attachment complete"',
            instance=instance,
        )


def _fill(manager: Any, context: Any, instance: Any) -> Any:
    """Have Cinder export to this host what an empty attachment is for.

    Not the others: it need not take an update of one that is in use.

    :returns: all block devices of the guest.
    """
    bdms = instance.get_bdms()
    empty = [bdm for bdm in bdms if _is_empty(manager, context, bdm)]
    manager._update_volume_attachments(context, instance, empty)
    return bdms


def _is_empty(manager: Any, context: Any, bdm: Any) -> bool:
    if not (bdm.is_volume and bdm.attachment_id):
        return False
    known = manager.volume_api.attachment_get(context, bdm.attachment_id)
    return not known['connection_info']
