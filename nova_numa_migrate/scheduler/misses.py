# SPDX-License-Identifier: Apache-2.0
"""Every host that a hinted request might have had, and why not that one.

The filter is asked of all of them, those that Placement did not offer too.
What it would have let pass, Placement has been short of something on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nova import servicegroup
from oslo_log import log as logging

from nova_numa_migrate import shortfall
from nova_numa_migrate.placement import hosts
from nova_numa_migrate.placement.misses import Miss
from nova_numa_migrate.plan import Plan
from nova_numa_migrate.scheduler import filter as numa_filter

LOG = logging.getLogger(__name__)

#: As Placement offers a host; the devices are those of the request.
_CANDIDATE = {'mappings': None}


def of_request(
    host_manager: Any, placement: Any, context: Any, spec: Any, plan: Plan
) -> Iterator[Miss]:
    """One for each host of the request's cells that it was not barred from.

    :param host_manager: the scheduler's.
    :param placement: the scheduler's report client.
    :param spec: objects.RequestSpec after the request filters.
    """
    passed = {}
    for host in host_manager.get_host_states_by_uuids(
        context.elevated(), None, spec
    ):
        if not _was_asked_for(host.host, spec):
            continue
        try:
            miss = _miss(host, spec, plan)
        except Exception as error:
            LOG.exception('Host %s could not be judged', host.host)
            miss = Miss.altogether(
                f'host {host.host} could not be judged: '
                f'{type(error).__name__}: {error}'
            )
        if miss is None:
            passed[host.uuid] = host.host
        else:
            yield miss
    for _, reasons in shortfall.of_hosts(placement, context, passed, spec):
        yield Miss(len(reasons), '; '.join(reasons))


def _was_asked_for(host: str, spec: Any) -> bool:
    destination = spec.requested_destination
    if destination and 'host' in destination and destination.host:
        return bool(host == destination.host)
    return host not in (spec.ignore_hosts or ())


def _miss(host: Any, spec: Any, plan: Plan) -> Miss | None:
    refusal = hosts.service_refusal(
        host.host,
        host.service['disabled'],
        servicegroup.API().service_is_up(host.service),
    )
    if refusal is not None:
        return Miss.altogether(refusal)
    host.allocation_candidates = [_CANDIDATE]
    return numa_filter.NumaMigrateFilter().judge(host, spec, plan)
