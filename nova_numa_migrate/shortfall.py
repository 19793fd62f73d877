# SPDX-License-Identifier: Apache-2.0
"""Why Placement does not offer a host whose nodes would do, in numbers.

Placement answers with the hosts that do, and says nothing of the others.  The
scheduler asks when there is no host left, the dry run of each host that it
would have said yes to: the same words come from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from keystoneauth1 import exceptions as ks_exceptions
from nova import exception
from nova.scheduler import utils
from oslo_log import log as logging

LOG = logging.getLogger(__name__)

#: When what it asks of the host itself is there.
UNKNOWN = (
    'Placement or another filter does not offer it: look for what else was '
    'asked (aggregates, devices), and at the log of nova-scheduler'
)

#: Each of these hosts costs three requests to Placement.
_ASKED = 3


def of_hosts(
    client: Any, context: Any, hosts: Mapping[str, str], spec: Any
) -> Iterator[tuple[str, list[str]]]:
    """Each host's provider, and the reasons; the first text names the host.

    Only the first hosts are looked at, in the order of their names.

    :param client: Nova's report client.
    :param hosts: the name of each host that has room, by its provider.
    :param spec: objects.RequestSpec after the request filters.
    """
    ordered = sorted(hosts.items(), key=lambda one: one[1])
    for number, (provider, host) in enumerate(ordered):
        found: list[str] = []
        if number < _ASKED:
            found = reasons(client, context, provider, spec)
        first, *others = found or [UNKNOWN]
        yield (
            provider,
            [f'host {host} has room on the nodes, but {first}', *others],
        )


def reasons(client: Any, context: Any, provider: str, spec: Any) -> list[str]:
    """All that the host's own provider lacks; empty where that is nothing.

    What Placement does not tell is a reason as well: the other hosts have
    theirs all the same.

    :param client: Nova's report client.
    :param provider: the uuid of the compute node.
    :param spec: objects.RequestSpec after the request filters.
    """
    found: list[str] = []
    try:
        for lacks in (_missing_traits, _shortages):
            found.extend(lacks(client, context, provider, spec))
    except Exception as error:
        found.append(_untold(provider, error))
    return found


class _Untold(Exception):
    """Placement has answered, but with nothing of what it was asked."""


def _untold(provider: str, error: Exception) -> str:
    if isinstance(error, ks_exceptions.ClientException):
        return f'Placement does not answer: {error}'
    if isinstance(error, _Untold):
        return f'Placement does not tell its {error}'
    LOG.error('Provider %s could not be judged', provider, exc_info=error)
    return f'it could not be judged: {type(error).__name__}: {error}'


def _missing_traits(
    client: Any, context: Any, provider: str, spec: Any
) -> Iterator[str]:
    try:
        held = client.get_provider_traits(context, provider).traits
    except exception.ResourceProviderTraitRetrievalFailed as error:
        raise _Untold(
            f'traits: {error}; what it answered is in the log of the service '
            'that asked'
        ) from error
    for trait in sorted(spec.root_required - held):
        yield f'it lacks the trait {trait} in Placement'
    for trait in sorted(spec.root_forbidden & held):
        yield f'it has the trait {trait} in Placement'


def _shortages(
    client: Any, context: Any, provider: str, spec: Any
) -> Iterator[str]:
    return _short(
        utils.ResourceRequest.from_request_spec(spec).merged_resources(),
        _read(client, context, provider, 'inventories'),
        _read(client, context, provider, 'usages'),
    )


def _read(client: Any, context: Any, provider: str, what: str) -> Any:
    answer = client.get(
        f'/resource_providers/{provider}/{what}',
        global_request_id=context.global_id,
    )
    # Nova's client raises nothing for a status.
    if not answer:
        raise _Untold(f'{what}: HTTP {answer.status_code}')
    return answer.json()[what]


def _short(
    asked: Mapping[str, int],
    inventories: Mapping[str, Mapping[str, Any]],
    usages: Mapping[str, int],
) -> Iterator[str]:
    """Of what the host has itself; devices and shared disks are elsewhere."""
    for name, needed in sorted(asked.items()):
        inventory = inventories.get(name)
        if inventory is None:
            continue
        capacity = int(
            (inventory['total'] - inventory['reserved'])
            * inventory['allocation_ratio']
        )
        free = min(capacity - usages.get(name, 0), inventory['max_unit'])
        if needed > free:
            yield f'it needs {needed} {name}, {max(free, 0)} free'
