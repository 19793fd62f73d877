# SPDX-License-Identifier: Apache-2.0
"""Nova's choice of a host; where there is none, the action says why.

A server that is being created has no action in a cell yet: there the reasons
are in the refusal itself, which Nova puts into the server's fault.

A host may have been lost in Placement, in our filter, in another one or to a
faster request, and after most of these no filter of ours is asked any more.
So the question is asked anew of every host when all is over.
"""

from __future__ import annotations

from typing import Any, NoReturn

from nova import exception
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
            untold = event.tell(context, spec.instance_uuid, found)
            if untold:
                _refuse('; '.join(untold))
        raise


@oslo_messaging.expected_exceptions(exception.NoValidHost)
def _refuse(reason: str) -> NoReturn:
    """As Nova's refusal, with the reason.

    The fault of a server holds 255 characters: what is cut off of a longer
    reason are the farther misses.

    :raises oslo_messaging.ExpectedException: always.
    """
    raise exception.NoValidHost(reason=reason)
