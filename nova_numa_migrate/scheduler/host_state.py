# SPDX-License-Identifier: Apache-2.0
"""Book a hinted guest where it goes, until its host reports.

The scheduler books each guest that it has placed in its own picture of the
host, by asking Nova's fit once more.  Of a hinted guest that would be other
nodes than it goes to, and for guests whose cells differ it may be a pinning
that cannot be booked, which would end the request.
"""

from __future__ import annotations

from typing import Any

from nova.scheduler import host_manager
from nova.virt import hardware

from nova_numa_migrate import fit
from nova_numa_migrate.placement.reasons import Refused
from nova_numa_migrate.plan import Plan


class NumaHostState(host_manager.HostState):
    """Nova's picture of a host; hinted guests are on their nodes."""

    numa_topology: Any

    def _locked_consume_from_request(self, spec_obj: Any) -> None:
        """Book a guest; under Nova's lock of the host."""
        plan = Plan.of_spec(spec_obj, spec_obj._context.request_id)
        guest = spec_obj.numa_topology
        if plan is None or not guest or not self.numa_topology:
            super()._locked_consume_from_request(spec_obj)
            return
        # With none, Nova books all but the nodes.
        spec_obj.numa_topology = None
        super()._locked_consume_from_request(spec_obj)
        limits = self.limits.get('numa_topology')
        decision = fit.decide(self.numa_topology, guest, plan.node_map, limits)
        if isinstance(decision, Refused):
            # Another request was faster; the claim will say so.
            return
        spec_obj.numa_topology = fit.claimed(guest, decision)
        self.numa_topology = hardware.numa_usage_from_instance_numa(
            self.numa_topology, spec_obj.numa_topology
        )
