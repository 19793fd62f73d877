# SPDX-License-Identifier: Apache-2.0
"""Which hosts Placement would offer a hinted migrate, asked at once for all.

What the scheduler asks of Placement before it asks any filter: the amounts of
the flavor, its traits, and those of the named nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from keystoneauth1 import exceptions as ks_exceptions
import nova.conf
from nova.scheduler import utils
from nova.scheduler.client import report

from nova_numa_migrate import shortfall
from nova_numa_migrate.exception import PlacementSilent
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.placement import traits

CONF = nova.conf.CONF


def refusals(
    context: Any, spec: Any, node_map: NodeMap | None, hosts: Mapping[str, str]
) -> Iterator[tuple[str, list[str]]]:
    """Those of the hosts that Placement does not offer, each with reasons.

    :param spec: objects.RequestSpec as the migration would have it; what the
        scheduler's request filter asks for the nodes is added to it.
    :param node_map: None for whichever nodes do.
    :param hosts: the name of each host that fits, by its resource provider.
    :raises PlacementSilent: when it does not answer.
    """
    if not hosts:
        return
    by_nodes = CONF.numa_migrate.query_placement_for_numa_nodes
    if node_map is not None and by_nodes:
        spec.root_required.update(traits.asked_by(node_map))
    try:
        client = report.report_client_singleton()
        offered = set(_offered(client, context, spec, hosts))
    except ks_exceptions.ClientException as error:
        raise PlacementSilent(_silence(error)) from error
    left = {uuid: hosts[uuid] for uuid in hosts if uuid not in offered}
    yield from shortfall.of_hosts(client, context, left, spec)


def _offered(
    client: Any, context: Any, spec: Any, hosts: Mapping[str, str]
) -> Iterator[str]:
    """The resource providers, by one query, or by two for pinned guests.

    As the scheduler, which asks for shared CPUs as well: hosts with
    ``vcpu_pin_set`` have no others in Placement.
    """
    request = utils.ResourceRequest.from_request_spec(spec)
    yield from _asked(client, context, request, hosts)
    if (
        request.cpu_pinning_requested
        and not CONF.workarounds.disable_fallback_pcpu_query
    ):
        request = utils.ResourceRequest.from_request_spec(
            spec, enable_pinning_translate=False
        )
        yield from _asked(client, context, request, hosts)


def _asked(
    client: Any, context: Any, request: Any, hosts: Mapping[str, str]
) -> Iterator[str]:
    # A host that is left out by a limit is not one that has no room.
    request._limit = None
    if len(hosts) == 1:
        (request.get_request_group(None).in_tree,) = hosts
    _, found, _ = client.get_allocation_candidates(context, request) or (
        None,
        None,
        None,
    )
    if found is None:
        raise PlacementSilent(_silence('see the log of nova-api'))
    yield from found


def _silence(reason: object) -> str:
    return (
        'Placement does not answer, so that it is not known which hosts have '
        f'room: {reason}. Try again when it does'
    )
