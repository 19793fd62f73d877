# SPDX-License-Identifier: Apache-2.0
"""The scheduler's filter, on Nova's own hosts and request."""

from __future__ import annotations

import itertools
import time
from typing import Any

from nova import context as nova_context
from nova import objects
from nova.scheduler import host_manager

from nova_numa_migrate.hint import CheckpointMode
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.placement import hosts
from nova_numa_migrate.plan import Plan
from nova_numa_migrate.scheduler.filter import NumaMigrateFilter


def request(guest: Any, node_map: NodeMap) -> Any:
    """A hinted migration, as the filter gets it."""
    context = nova_context.RequestContext(is_admin=True)
    plan = Plan(context.request_id, node_map, CheckpointMode.REQUIRED)
    return objects.RequestSpec(
        context,
        numa_topology=guest,
        flavor=objects.Flavor(),
        pci_requests=None,
        scheduler_hints=plan.added_to({}),
        instance_uuid='d3b6b6a2-6a2c-4d6b-8b7d-0a2f4e6c8b10',
    )


def host_states(topologies: list[Any], count: int) -> list[Any]:
    """So many hosts that Placement offers, with these topologies in turn."""
    return [
        _host_state(f'host{number}', topology)
        for number, topology in zip(
            range(count), itertools.cycle(topologies), strict=False
        )
    ]


def _host_state(name: str, topology: Any) -> Any:
    state = host_manager.HostState(name, name, None)
    state.numa_topology = topology
    state.stats = {hosts.STATS_KEY: hosts.STATS_VALUE}
    state.cpu_allocation_ratio = 4.0
    state.ram_allocation_ratio = 1.0
    return state


def seconds_per_host(states: list[Any], spec: Any) -> float:
    """Of the processor, for one look at all of them."""
    for state in states:
        state.allocation_candidates = [{'mappings': None}]
    start = time.process_time()
    passed = NumaMigrateFilter().filter_all(states, spec)
    taken = time.process_time() - start
    if not 0 < len(passed) < len(states):
        raise AssertionError(f'{len(passed)} of {len(states)} hosts pass')
    return taken / len(states)
