# SPDX-License-Identifier: Apache-2.0
"""Nova's choice of a host; where there is none, the action says why.

A host may have been lost in Placement, in our filter, in another one or to a
faster request, and after most of these no filter of ours is asked any more.
So the question is asked anew of every host when all is over.
"""

from __future__ import annotations

from typing import Any

from nova.scheduler import manager
import oslo_messaging

from nova_numa_migrate.plan import Plan
from nova_numa_migrate.scheduler import event
from nova_numa_migrate.scheduler import misses

_NOVAS = manager.SchedulerManager.select_destinations


def select_destinations(
    scheduler: Any, context: Any, *args: Any, **kwargs: Any
) -> Any:
    """As a method of nova.scheduler.manager.SchedulerManager.

    :raises oslo_messaging.ExpectedException: as Nova's: no valid host.
    """
    try:
        return _NOVAS(scheduler, context, *args, **kwargs)
    except oslo_messaging.ExpectedException:
        spec: Any = kwargs.get('spec_obj')
        plan = Plan.of_spec(spec, context.request_id)
        if plan is not None:
            found = misses.of_request(
                scheduler.host_manager,
                scheduler.placement_client,
                context,
                spec,
                plan,
            )
            event.tell(context, spec.instance_uuid, found)
        raise
