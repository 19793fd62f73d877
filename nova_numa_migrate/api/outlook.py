# SPDX-License-Identifier: Apache-2.0
"""What a hinted migrate would find: each host, and why not where not.

The words are the scheduler's: its filter asks ``HostReport.refusal`` and
``fit.decide`` as well, and what Placement is short of both have from
``shortfall``.  What a host can only say itself, as the free memory of its
kernel at that moment, is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
import dataclasses
from typing import Any

from nova import objects
from nova import servicegroup
from nova.pci import stats as pci_stats

from nova_numa_migrate import fit
from nova_numa_migrate.api import candidates
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.placement import hosts
from nova_numa_migrate.placement import stored
from nova_numa_migrate.placement.reasons import Refused


@dataclasses.dataclass(frozen=True)
class Outlook:
    """One host: the guest fits on the nodes, or all that is in the way."""

    host: str
    node_map: NodeMap | None
    reasons: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether nothing is in the way."""
        return not self.reasons


def of_hosts(
    context: Any,
    instance: Any,
    spec: Any,
    node_map: NodeMap | None,
    host: str | None,
) -> list[Outlook]:
    """Every other host of its cell; first those where the guest fits.

    The present host only where it is named.
    Then come the nearest misses, those with the fewest reasons.

    :param context: targeted at the server's cell.
    :param spec: objects.RequestSpec as a migration would have it.
    :param node_map: None for whichever nodes do.
    :param host: only the host of that name.
    :raises nova.exception.ComputeHostNotFound: when there is none.
    :raises PlacementSilent: when a host fits, and Placement does not answer.
    """
    nodes = (
        objects.ComputeNodeList.get_all(context)
        if host is None
        else objects.ComputeNodeList.get_all_by_host(context, host)
    )
    unusable = dict(_unusable(context))
    reader = stored.Reader()
    found = {
        node.uuid: Outlook(node.host, node_map, (unusable[node.host],))
        if node.host in unusable
        else _of(reader, node, spec, node_map, instance.host)
        for node in nodes
        if node.host == host or node.host != instance.host
    }
    fitting = {uuid: one.host for uuid, one in found.items() if one.fits}
    for uuid, reasons in candidates.refusals(context, spec, node_map, fitting):
        found[uuid] = dataclasses.replace(found[uuid], reasons=tuple(reasons))
    return sorted(found.values(), key=lambda one: (len(one.reasons), one.host))


def _unusable(context: Any) -> Iterator[tuple[str, str]]:
    """Hosts whose service takes no guests, and why."""
    up = servicegroup.API().service_is_up
    for service in objects.ServiceList.get_by_binary(
        context, 'nova-compute', include_disabled=True
    ):
        refusal = hosts.service_refusal(
            service.host, service.disabled, up(service)
        )
        if refusal is not None:
            yield service.host, refusal


def _of(
    reader: stored.Reader,
    node: Any,
    spec: Any,
    node_map: NodeMap | None,
    present: str,
) -> Outlook:
    text = node.numa_topology
    cells = reader.cells(text) if text else []
    nodes = (cell.node for cell in cells)
    report = hosts.HostReport.of(node.host, nodes, node.stats)
    refusal = report.refusal(node_map or NodeMap(()))
    if refusal is not None:
        return Outlook(node.host, node_map, (refusal,))
    if not cells:
        reason = f'host {node.host}: it reports no NUMA topology'
        return Outlook(node.host, None, (reason,))
    decision = fit.decide_stored(
        cells,
        fit.requested(spec.numa_topology, spec.flavor, node_map),
        node_map,
        fit.limits_of(node, spec),
        _devices(node, spec.pci_requests),
    )
    if isinstance(decision, Refused):
        return Outlook(node.host, node_map, decision.each(node.host, present))
    return Outlook(node.host, decision.node_map)


def _devices(node: Any, requests: Any) -> fit.PciDevices | None:
    """What the guest's devices ask; most guests have none.

    :param requests: objects.InstancePCIRequests or None.
    """
    if not requests or not requests.requests:
        return None
    topology = objects.NUMATopology.obj_from_db_obj(node.numa_topology)
    stats = pci_stats.PciDeviceStats(topology, stats=node.pci_device_pools)
    # Placement's candidates are the scheduler's to ask for.
    return fit.PciDevices.of(requests, stats, None)
