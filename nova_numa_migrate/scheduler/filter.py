# SPDX-License-Identifier: Apache-2.0
"""The scheduler filter of hinted migrations.

A request without a plan passes everywhere.  With one, a host passes that runs
the plugin, reports the named nodes, and has room for the guest there.
"""

from __future__ import annotations

from typing import Any

from nova.scheduler import filters
from oslo_log import log as logging

from nova_numa_migrate import fit
from nova_numa_migrate.placement import hosts
from nova_numa_migrate.placement.reasons import NoCandidate
from nova_numa_migrate.placement.reasons import Refused
from nova_numa_migrate.plan import Plan

LOG = logging.getLogger(__name__)


class NumaMigrateFilter(filters.BaseHostFilter, filters.CandidateFilterMixin):
    """Only hosts with the NUMA nodes that the migration names."""

    # Rebuilds stay on their host, and a plan steers only a migration.
    RUN_ON_REBUILD = False

    def host_passes(self, host_state: Any, spec_obj: Any) -> bool:
        """Whether the host may take the guest on the named nodes."""
        plan = Plan.of_spec(spec_obj, spec_obj._context.request_id)
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
        refused = self._refused(host_state, spec_obj, plan)
        return refused.of(host_state.host) if refused else None

    def _refused(
        self, host_state: Any, spec_obj: Any, plan: Plan
    ) -> Refused | None:
        """Keep the allocation candidates that fit, or say why none does."""
        limits = fit.limits_of(host_state, spec_obj)
        refused = Refused([NoCandidate()])

        def fits(candidate: Any) -> bool:
            nonlocal refused
            decision = fit.decide(
                host_state.numa_topology,
                spec_obj.numa_topology,
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
    return hosts.HostReport.of(
        host_state.host, host_state.numa_topology, host_state.stats
    )
