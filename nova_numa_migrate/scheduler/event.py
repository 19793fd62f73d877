# SPDX-License-Identifier: Apache-2.0
"""Why no host was valid, told in the server's action.

Nova says "No valid host was found" and no more.  Each of the nearest misses
becomes an event of the action, whose details are what was short there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nova import context as nova_context
from nova import objects
import nova.conf
from oslo_log import log as logging

from nova_numa_migrate import events
from nova_numa_migrate.placement.misses import Miss
from nova_numa_migrate.placement.misses import nearest

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

#: Of the nearest miss, 1, and of the ones behind it.
EVENT = 'numa_migrate_schedule_%d'

_TOLD = 3


def tell(context: Any, instance: str, misses: Iterable[Miss]) -> list[str]:
    """Add the events; the request fails as it would without them.

    :param context: of the request whose action it is.
    :param instance: the uuid.
    :returns: what there is no action for yet, as the server is in no cell.
    """
    try:
        texts = nearest(misses, _TOLD)
        mapping = objects.InstanceMapping.get_by_instance_uuid(
            context, instance
        )
        if mapping.cell_mapping is None:
            return texts
        with nova_context.target_cell(context, mapping.cell_mapping) as cell:
            for number, text in enumerate(texts, 1):
                name = EVENT % number
                events.failed(cell, instance, CONF.host, name, text)
    except Exception:
        LOG.exception(
            'The reasons could not be added to the action of the server',
            instance_uuid=instance,
        )
    return []
