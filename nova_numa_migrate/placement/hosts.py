# SPDX-License-Identifier: Apache-2.0
"""Which hosts have the named nodes, and how to say that none has.

Pure: a host is what its topology report says of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
import dataclasses
import itertools
from typing import Self

from nova_numa_migrate.exception import NodeNotFound
from nova_numa_migrate.hint import NodeMap

#: A compute service that runs the plugin says so in its node's stats; the
#: value counts up when an older scheduler may not send it guests any more.
STATS_KEY = 'numa_migrate'
STATS_VALUE = '1'

_HOSTS_SHOWN = 8


@dataclasses.dataclass(frozen=True)
class HostReport:
    """One compute host as it reports itself.

    ``nodes`` are the ids of its NUMA nodes, ``has_plugin`` tells whether it
    runs nova-numa-compute.
    """

    host: str
    nodes: frozenset[int]
    has_plugin: bool

    @classmethod
    def of(
        cls,
        host: str,
        nodes: Iterable[int],
        stats: Mapping[str, str | None] | None,
    ) -> Self:
        """What the ids of a host's nodes and its stats say."""
        return cls(
            host,
            frozenset(nodes),
            (stats or {}).get(STATS_KEY) == STATS_VALUE,
        )

    def refusal(self, node_map: NodeMap) -> str | None:
        """Why this host cannot be the destination, None when it can."""
        if not self.has_plugin:
            return f'host {self.host} does not run nova-numa-compute'
        missing = sorted(set(node_map.nodes) - self.nodes)
        if not missing:
            return None
        return (
            f'host {self.host} has no NUMA node {ranges(missing)} '
            f'(it has {ranges(self.nodes)})'
        )


def service_refusal(host: str, disabled: bool, is_up: bool) -> str | None:
    """Why the host's compute service takes no guest, None where it does."""
    if disabled:
        return f'host {host}: its nova-compute is disabled'
    return None if is_up else f'host {host}: its nova-compute is down'


def check_exists(node_map: NodeMap, hosts: Iterable[HostReport]) -> None:
    """Refuse a map whose nodes are on none of the hosts.

    :param hosts: those that may take the guest; they are read no further
        than the first that can.
    :raises NodeNotFound: naming the hosts, their nodes and the reason.
    """
    refusals = []
    for host in hosts:
        refusal = host.refusal(node_map)
        if refusal is None:
            return
        refusals.append(refusal)
    if not refusals:
        raise NodeNotFound('there is no other compute host')
    shown = '; '.join(refusals[:_HOSTS_SHOWN])
    more = len(refusals) - _HOSTS_SHOWN
    raise NodeNotFound(shown + (f'; and {more} more hosts' * (more > 0)))


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as a text with ranges, ``0-3,7``; ``none`` without any."""
    runs = itertools.groupby(
        enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0]
    )
    texts = []
    for _, run in runs:
        ids = [number for _, number in run]
        texts.append(f'{ids[0]}-{ids[-1]}' if len(ids) > 1 else str(ids[0]))
    return ','.join(texts) or 'none'
