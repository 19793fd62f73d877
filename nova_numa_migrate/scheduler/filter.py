# SPDX-License-Identifier: Apache-2.0
"""The scheduler filter of hinted migrations.

It stands in place of Nova's NUMATopologyFilter, and is that for a request
without a plan.  With one, a host passes that runs the plugin, reports the
named nodes, and has room for the guest there; Nova's own fit is not asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nova.scheduler.filters import numa_topology_filter
from oslo_log import log as logging

from nova_numa_migrate import fit
from nova_numa_migrate.placement import hosts
from nova_numa_migrate.placement.misses import Miss
from nova_numa_migrate.placement.reasons import NoCandidate
from nova_numa_migrate.placement.reasons import Refused
from nova_numa_migrate.plan import Plan

LOG = logging.getLogger(__name__)


class NumaMigrateFilter(numa_topology_filter.NUMATopologyFilter):
    """Only hosts with the NUMA nodes that the migration names."""

    def filter_all(
        self, filter_obj_list: Iterable[Any], spec_obj: Any
    ) -> list[Any]:
        """The hosts that pass."""
        plan = Plan.of_spec(spec_obj, spec_obj._context.request_id)
        if plan is None:
            return list(super().filter_all(filter_obj_list, spec_obj))
        return [
            host_state
            for host_state in filter_obj_list
            if self._passes(host_state, spec_obj, plan)
        ]

    def _passes(self, host_state: Any, spec_obj: Any, plan: Plan) -> bool:
        miss = self.judge(host_state, spec_obj, plan)
        if miss is not None:
            LOG.debug(
                'Host %(host)s cannot take the server on NUMA nodes '
                '%(nodes)s: %(refusal)s',
                {
                    'host': host_state.host,
                    'nodes': plan.node_map,
                    'refusal': miss.text,
                },
                instance_uuid=spec_obj.instance_uuid,
            )
        return miss is None

    def judge(self, host_state: Any, spec_obj: Any, plan: Plan) -> Miss | None:
        """Why the host cannot take the guest on the named nodes.

        Its allocation candidates that do not fit are dropped.
        """
        refusal = _report(host_state).refusal(plan.node_map)
        if refusal is not None:
            return Miss.altogether(refusal)
        refused = self._refused(host_state, spec_obj, plan)
        if refused is None:
            return None
        is_here = spec_obj.instance_uuid in host_state.instances
        present = host_state.host if is_here else None
        return Miss(len(refused.reasons), refused.of(host_state.host, present))

    def _refused(
        self, host_state: Any, spec_obj: Any, plan: Plan
    ) -> Refused | None:
        """Keep the allocation candidates that fit, or say why none does."""
        limits = fit.limits_of(host_state, spec_obj)
        guest = fit.requested(
            spec_obj.numa_topology, spec_obj.flavor, plan.node_map
        )
        refused = Refused([NoCandidate()])

        def fits(candidate: Any) -> bool:
            nonlocal refused
            decision = fit.decide(
                host_state.numa_topology,
                guest,
                plan.node_map,
                limits,
                fit.PciDevices.of(
                    spec_obj.pci_requests,
                    host_state.pci_stats,
                    candidate['mappings'],
                ),
            )
            if isinstance(decision, Refused):
                refused = decision
                return False
            return True

        if not self.filter_candidates(host_state, fits):
            return refused
        host_state.limits['numa_topology'] = limits
        return None


def _report(host_state: Any) -> hosts.HostReport:
    topology = host_state.numa_topology
    nodes = (cell.id for cell in topology.cells) if topology else ()
    return hosts.HostReport.of(host_state.host, nodes, host_state.stats)
