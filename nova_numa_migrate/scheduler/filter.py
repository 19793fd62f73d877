# SPDX-License-Identifier: Apache-2.0
"""The scheduler filter of hinted migrations.

A request without a plan passes everywhere.  With one, a host passes that runs
the plugin, reports the named nodes, and has room for the guest there.
"""

from __future__ import annotations

from typing import Any

from nova import objects
from nova.scheduler import filters
from oslo_log import log as logging

from nova_numa_migrate import fit
from nova_numa_migrate.placement import hosts
from nova_numa_migrate.plan import Plan

LOG = logging.getLogger(__name__)


class NumaMigrateFilter(filters.BaseHostFilter, filters.CandidateFilterMixin):
    """Only hosts with the NUMA nodes that the migration names."""

    # Rebuilds stay on their host, and a plan steers only a migration.
    RUN_ON_REBUILD = False

    def host_passes(self, host_state: Any, spec_obj: Any) -> bool:
        """Whether the host may take the guest on the named nodes."""
        plan = _plan_of(spec_obj)
        if plan is None:
            return True
        refusal = self._refusal(host_state, spec_obj, plan)
        if refusal is not None:
            LOG.debug(
                'Host %(host)s cannot take the server on NUMA nodes '
                '%(nodes)s: %(refusal)s',
                {
                    'host': host_state.host,
                    'nodes': plan.node_map,
                    'refusal': refusal,
                },
                instance_uuid=spec_obj.instance_uuid,
            )
        return refusal is None

    def _refusal(
        self, host_state: Any, spec_obj: Any, plan: Plan
    ) -> str | None:
        refusal = _report(host_state).refusal(plan.node_map)
        if refusal is not None:
            return refusal
        if spec_obj.numa_topology is None:
            return 'the guest has no NUMA topology to place'
        if self._fits(host_state, spec_obj, plan):
            return None
        explanation = fit.explain(
            host_state.numa_topology, spec_obj.numa_topology, plan.node_map
        )
        return f'the guest does not fit there: {explanation}'

    def _fits(self, host_state: Any, spec_obj: Any, plan: Plan) -> bool:
        limits = _limits(host_state, spec_obj)
        requests = spec_obj.pci_requests
        candidates = self.filter_candidates(
            host_state,
            lambda candidate: fit.fit_to_nodes(
                host_state.numa_topology,
                spec_obj.numa_topology,
                plan.node_map,
                limits=limits,
                pci_requests=requests.requests if requests else None,
                pci_stats=host_state.pci_stats,
                provider_mapping=candidate['mappings'],
            ),
        )
        if candidates:
            host_state.limits['numa_topology'] = limits
        return bool(candidates)


def _plan_of(spec_obj: Any) -> Plan | None:
    hints = spec_obj.scheduler_hints if 'scheduler_hints' in spec_obj else None
    return Plan.of(hints, spec_obj._context.request_id)


def _report(host_state: Any) -> hosts.HostReport:
    return hosts.HostReport.of(
        host_state.host, host_state.numa_topology, host_state.stats
    )


def _limits(host_state: Any, spec_obj: Any) -> Any:
    limits = objects.NUMATopologyLimits(
        cpu_allocation_ratio=host_state.cpu_allocation_ratio,
        ram_allocation_ratio=host_state.ram_allocation_ratio,
    )
    if 'network_metadata' in spec_obj and spec_obj.network_metadata:
        limits.network_metadata = spec_obj.network_metadata
    return limits
