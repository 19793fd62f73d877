# SPDX-License-Identifier: Apache-2.0
"""Hosts' reports as Nova's database has them: JSON of an objects.NUMATopology.

For a look at a whole fleet: Nova's own objects take some milliseconds a host
to make.  Pure: the text is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
import itertools
import json
from typing import Any

from nova_numa_migrate.placement.cells import HostCell
from nova_numa_migrate.placement.cells import PagePool

_DATA = 'nova_object.data'


def nodes(text: str) -> list[int]:
    """The ids of one host's nodes; as ``Reader.cells``."""
    return [cell[_DATA]['id'] for cell in json.loads(text)[_DATA]['cells']]


class Reader:
    """Reads reports one after the other.

    Hosts of a kind have the same CPUs, cores and pools, and those take most
    of the memory: each is kept once for all hosts.
    """

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def cells(self, text: str) -> list[HostCell]:
        """The nodes of one host.

        :param text: of the column ``numa_topology`` of a compute node, in
            the form of Nova 32 to 34.
        :raises ValueError: when it is no JSON.
        :raises KeyError: when it is something else than a topology.
        """
        topology = json.loads(text)[_DATA]
        return [self._cell(cell[_DATA]) for cell in topology['cells']]

    def _cell(self, cell: Mapping[str, Any]) -> HostCell:
        shared, dedicated = cell['cpuset'], cell['pcpuset']
        siblings = self._kept(tuple(map(self._set, cell['siblings'])))
        free = frozenset(dedicated).difference(cell['pinned_cpus'])
        pools = sorted(self._pool(p[_DATA]) for p in cell['mempages'])
        networks = cell.get('network_metadata', {}).get(_DATA, {})
        return HostCell(
            cell['id'],
            len(shared),
            cell['cpu_usage'],
            self._set(free.intersection(itertools.chain(*siblings))),
            siblings,
            sorted(shared) == sorted(dedicated),
            cell['memory'],
            cell['memory_usage'],
            self._kept(tuple(reversed(pools))),
            self._set(networks.get('physnets', ())),
            networks.get('tunneled', False),
        )

    def _pool(self, pool: Mapping[str, int]) -> PagePool:
        used = pool['used'] + pool.get('reserved', 0)
        return PagePool(pool['size_kb'], pool['total'], pool['total'] - used)

    def _set(self, items: Iterable[Any]) -> Any:
        return self._kept(frozenset(items))

    def _kept(self, value: Any) -> Any:
        return self._known.setdefault(value, value)
