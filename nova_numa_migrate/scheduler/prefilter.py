# SPDX-License-Identifier: Apache-2.0
"""Have Placement drop the hosts without the named nodes.

One of Nova's request filters: they complete a request before Placement is
asked for hosts, so that a host that is dropped costs the scheduler nothing.
"""

from __future__ import annotations

from typing import Any

import nova.conf
from nova.scheduler import request_filter

from nova_numa_migrate.placement import traits
from nova_numa_migrate.plan import Plan

CONF = nova.conf.CONF


@request_filter.trace_request_filter
def require_numa_nodes(context: Any, spec: Any) -> bool:
    """Ask for hosts with the plugin and the nodes that the request names.

    What is asked here is never stored: Nova leaves the request level
    parameters of a spec out when it saves one, and each call of the scheduler
    has a copy of its own.

    :param spec: objects.RequestSpec, changed in place.
    :returns: whether it has asked for anything.
    :raises InvalidHint: as Plan.of.
    """
    plan = Plan.of_spec(spec, context.request_id)
    if plan is None or not CONF.numa_migrate.query_placement_for_numa_nodes:
        return False
    spec.root_required.update(traits.asked_by(plan.node_map))
    return True
