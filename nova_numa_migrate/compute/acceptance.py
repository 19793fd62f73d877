# SPDX-License-Identifier: Apache-2.0
"""Whether this host can go on with a guest.

Asked twice of a destination while the guest runs on: before the claim, so that
Nova tries the next host, and by the source right before it saves the guest,
when everything else is ready.  And once of the source, before a revert takes
the guest back to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nova import exception
from nova import objects
from nova.compute import vm_states
import nova.conf
from oslo_serialization import jsonutils

from nova_numa_migrate import fit
from nova_numa_migrate import reports
from nova_numa_migrate import rpc
from nova_numa_migrate.binding import Binding
from nova_numa_migrate.checkpoint import demand as demands
from nova_numa_migrate.checkpoint.demand import Demand
from nova_numa_migrate.hint import CheckpointMode
from nova_numa_migrate.move import Move
from nova_numa_migrate.plan import Plan

CONF = nova.conf.CONF


def before_the_claim(
    manager: Any, context: Any, instance: Any, plan: Plan
) -> None:
    """Refuse a guest that will be saved and could not go on here.

    :param manager: the compute manager of this host.
    :raises nova.exception.ComputeResourcesUnavailable: with every reason;
        Nova tries the next host.
    """
    peers = manager.driver.peers
    if not _will_be_saved(peers, context, instance, plan.checkpoint):
        return
    demand = peers.describe_guest(context, instance)
    refusals = _refusals(
        manager.driver, context, instance, plan.node_map.nodes, demand
    )
    if refusals:
        raise exception.ComputeResourcesUnavailable(
            reason=demands.told(manager.host, refusals)
        )


def _will_be_saved(
    peers: rpc.NumaComputeAPI,
    context: Any,
    instance: Any,
    mode: CheckpointMode,
) -> bool:
    """Whether the source will save the guest, as far as it can be known now.

    Where it will not, no host has to be fit for a checkpoint.
    """
    if instance.vm_state != vm_states.ACTIVE:
        return False
    if mode is not CheckpointMode.PREFERRED:
        return mode is CheckpointMode.REQUIRED
    return reports.has_plugin_at_home(
        context, instance
    ) and not peers.list_blockers(context, instance)


def at_the_save(
    manager: Any, context: Any, instance: Any, demand: Demand
) -> list[str]:
    """Why the claimed cells cannot take the guest now; empty if they can."""
    topology = instance.migration_context.new_numa_topology
    if topology is None:
        asked = Move.of(instance.system_metadata)
        topology = asked and fit.bare(instance.flavor, asked.node_map.nodes)
    cells = topology.cells if topology else ()
    nodes = [cell.id for cell in cells]
    return [
        *_refusals(manager.driver, context, instance, nodes, demand),
        *manager.rt.short_of_memory(instance.uuid, cells),
    ]


def at_the_return(manager: Any, instance: Any, demand: Demand) -> list[str]:
    """Why this host, the source, cannot have its guest back; empty if it can.

    Its CPU is not asked of: what the guest has is this host's.
    """
    topology = instance.migration_context.old_numa_topology
    if topology is None:
        bound = _bound_before(instance)
        if bound is not None and bound.host == manager.host:
            topology = fit.bare(instance.flavor, bound.nodes)
    cells = topology.cells if topology else ()
    refusals = [
        *_host_refusals(manager.driver, [cell.id for cell in cells], demand),
        *manager.rt.short_of_memory(instance.uuid, cells),
    ]
    return [demands.told(manager.host, refusals)] if refusals else []


def _bound_before(instance: Any) -> Binding | None:
    metadata = instance.system_metadata
    move = Move.of(metadata)
    return Binding.before(metadata, move.migration) if move else None


def _refusals(
    driver: Any,
    context: Any,
    instance: Any,
    nodes: Iterable[int],
    demand: Demand,
) -> list[str]:
    return [
        *_host_refusals(driver, nodes, demand),
        *_cpu_refusals(driver, context, instance),
    ]


def _host_refusals(
    driver: Any, nodes: Iterable[int], demand: Demand
) -> list[str]:
    host = driver._host
    shortage = demands.disk_shortage(driver.checkpoints.root, demand.kib)
    return [
        *demands.refusals(
            demand,
            nodes,
            # Nova's own copy is as old as the service.
            host.get_connection().getCapabilities(),
            host.get_version(),
        ),
        *([shortage] if shortage else ()),
    ]


def _cpu_refusals(driver: Any, context: Any, instance: Any) -> list[str]:
    """As Nova compares them for a live migration.

    A guest whose CPU is its host's is compared as the source's host.  Two
    hosts that report the same CPU are alike whatever libvirt says of it: a
    host that is itself a virtual machine may not be fit for its own CPU.
    """
    if CONF.workarounds.skip_cpu_compare_on_dest:
        return []
    model = instance.vcpu_model
    info = None
    if not (model and model.model):
        model = None
        source = objects.ComputeNode.get_by_host_and_nodename(
            context, instance.host, instance.node
        )
        info = source.cpu_info
        if _kind(jsonutils.loads(info)) == _kind(driver._get_cpu_info()):
            return []
    try:
        driver._compare_cpu(model, info, instance)
    except exception.InvalidCPUInfo as error:
        return [f'its CPU is not the guest\'s: {error.format_message()}']
    return []


def _kind(info: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two CPUs one kind, of a report of Nova's driver."""
    names = ('arch', 'vendor', 'model')
    return *(info[name] for name in names), frozenset(info['features'])
