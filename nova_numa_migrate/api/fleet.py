# SPDX-License-Identifier: Apache-2.0
"""The compute hosts of all cells, and what each reports of its nodes.

Hosts are listed from the host mappings of the API database, in the order of
their names, so that a page of them is the same whichever cells answer, and a
host whose cell is down is still named.  Only the cells of that page are
asked, all at one time.
"""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from typing import Any

from nova import context as nova_context
from nova import exception as nova_exception
from nova import objects


@dataclasses.dataclass(frozen=True)
class Host:
    """One compute host.

    ``node`` is its objects.ComputeNode, None when it has not reported yet or
    ``error`` says why nothing is known; ``guests`` are the objects.Instance
    on it, with what says of their nodes.
    """

    name: str
    node: Any | None = None
    guests: Sequence[Any] = ()
    error: str | None = None


class MarkerNotFound(LookupError):
    """The page to begin after a host that does not exist."""


def page(
    context: Any, *, name: str | None, limit: int, marker: str | None
) -> list[Host]:
    """At most so many hosts, in the order of their names.

    :param name: only the host of that name, if there is one.
    :param marker: the last host of the page before, if there was one.
    :raises MarkerNotFound: when there is no host of the marker's name.
    """
    found = objects.HostMappingList.get_all(context)
    mappings = {mapping.host: mapping for mapping in found}
    names = sorted(mappings if name is None else {name} & mappings.keys())
    if marker is not None:
        if marker not in mappings:
            raise MarkerNotFound(f'marker [{marker}] not found')
        names = [name for name in names if name > marker]
    return _read(context, [mappings[name] for name in names[:limit]])


def host(context: Any, name: str) -> Host:
    """The host of that name.

    :raises nova.exception.HostMappingNotFound: when there is none.
    """
    mapping = objects.HostMapping.get_by_host(context, name)
    (found,) = _read(context, [mapping])
    return found


def _read(context: Any, mappings: Sequence[Any]) -> list[Host]:
    by_cell: dict[str, list[str]] = {}
    for mapping in mappings:
        by_cell.setdefault(mapping.cell_mapping.uuid, []).append(mapping.host)
    answers = nova_context.scatter_gather_cells(
        # Whoever may ask may see every project's guests.
        context.elevated(),
        list({m.cell_mapping.uuid: m.cell_mapping for m in mappings}.values()),
        nova_context.CELL_TIMEOUT,
        _read_cell,
        by_cell,
    )
    return [
        _host(m.host, m.cell_mapping, answers[m.cell_mapping.uuid])
        for m in mappings
    ]


def _read_cell(context: Any, by_cell: dict[str, list[str]]) -> dict[str, Host]:
    names = by_cell[context.cell_uuid]
    guests: dict[str, list[Any]] = {name: [] for name in names}
    for instance in objects.InstanceList.get_by_filters(
        context,
        {'host': names, 'deleted': False},
        sort_key='uuid',
        sort_dir='asc',
        expected_attrs=['flavor', 'numa_topology', 'system_metadata'],
    ):
        guests[instance.host].append(instance)
    return {
        node.host: Host(node.host, node, guests[node.host])
        for name in names
        for node in _nodes(context, name)
    }


def _nodes(context: Any, name: str) -> Sequence[Any]:
    try:
        found: Sequence[Any] = objects.ComputeNodeList.get_all_by_host(
            context, name
        )
    except nova_exception.ComputeHostNotFound:
        return ()
    return found


def _host(name: str, cell: Any, answer: Any) -> Host:
    if nova_context.is_cell_failure_sentinel(answer):
        return Host(name, error=f'cell {cell.identity} does not answer')
    found: Host | None = answer.get(name)
    return found or Host(name, error='it has not reported its resources yet')
