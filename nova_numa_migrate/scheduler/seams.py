# SPDX-License-Identifier: Apache-2.0
"""The places where nova-scheduler gets ours, without a setting for it.

Each is one name that Nova looks up at run time; all of them are here, and
nowhere else.  A test holds each against the releases of Nova that it was read
in.
"""

from __future__ import annotations

import nova.conf
from nova.scheduler import host_manager
from nova.scheduler import manager
from nova.scheduler import request_filter

from nova_numa_migrate.conf import numa_migrate
from nova_numa_migrate.scheduler import destinations
from nova_numa_migrate.scheduler import host_state
from nova_numa_migrate.scheduler import prefilter


def install() -> None:
    """Put the plugin into this process; twice is fine."""
    numa_migrate.register_opts(nova.conf.CONF)
    # HostManager.host_state_cls makes each host of the class of this name.
    host_manager.HostState = host_state.NumaHostState
    # The service looks its RPC methods up when a message comes.
    manager.SchedulerManager.select_destinations = (
        destinations.select_destinations
    )
    # process_reqspec runs each function of this list, in its order; Nova has
    # no setting for more of them.
    if prefilter.require_numa_nodes not in request_filter.ALL_REQUEST_FILTERS:
        request_filter.ALL_REQUEST_FILTERS.append(prefilter.require_numa_nodes)
