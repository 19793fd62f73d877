# SPDX-License-Identifier: Apache-2.0
"""Many hosts with guests on them, as Nova's database has their reports."""

from __future__ import annotations

from collections.abc import Iterator
import json
import random
from typing import Any

from nova_numa_migrate.placement import cells
from nova_numa_migrate.placement.stored import Reader

#: Of a node: cores of two threads, shared CPUs and MiB.
CORES, SHARED, MEMORY = 8, 4, 65536
_DATA = 'nova_object.data'
_RATIOS = cells.Ratios(4.0, 1.0)


def report(rng: random.Random, nodes: int, full: bool = False) -> str:
    """A host's stored report; each node is used in part, or all of it."""
    return json.dumps(
        _object(
            'NUMATopology',
            '1.2',
            cells=[_node(rng, node, full) for node in range(nodes)],
        )
    )


def reports(count: int, nodes: int) -> Iterator[str]:
    """The same fleet for the same numbers."""
    rng = random.Random(count)  # noqa: S311
    for _ in range(count):
        yield report(rng, nodes)


def parsed(texts: Iterator[str]) -> list[cells.Host]:
    """Hosts as the core has them."""
    reader = Reader()
    return [cells.Host(reader.cells(text), _RATIOS) for text in texts]


def guest(count: int) -> cells.Guest:
    """Dedicated CPUs; every second cell is the larger."""
    return cells.Guest(
        [
            cells.GuestCell(
                memory=8192 * (1 + cell % 2),
                policy=cells.CpuPolicy.DEDICATED,
                dedicated=frozenset(range(4 * (1 + cell % 2))),
                threads=cells.ThreadPolicy.PREFER,
                pages=2048,
            )
            for cell in range(count)
        ]
    )


def _node(rng: random.Random, node: int, full: bool) -> dict[str, Any]:
    width = 2 * CORES + SHARED
    first = node * width
    dedicated = list(range(first, first + 2 * CORES))
    shared = list(range(first + 2 * CORES, first + width))
    pairs = [[cpu, cpu + 1] for cpu in dedicated[::2]]
    used = len(dedicated) if full else rng.randrange(len(dedicated))
    memory = MEMORY if full else rng.randrange(0, MEMORY, 1024)
    return _object(
        'NUMACell',
        '1.5',
        id=node,
        cpuset=shared,
        pcpuset=dedicated,
        memory=MEMORY,
        cpu_usage=rng.randrange(4 * SHARED),
        memory_usage=memory,
        pinned_cpus=rng.sample(dedicated, used),
        siblings=[*pairs, *([cpu] for cpu in shared)],
        mempages=[
            _pool(4, MEMORY // 4 * 256, 0),
            _pool(2048, MEMORY * 3 // 8, memory * 3 // 8),
            _pool(1048576, 0, 0),
        ],
        socket=node // 4,
    )


def _pool(size: int, total: int, used: int) -> dict[str, Any]:
    return _object(
        'NUMAPagesTopology',
        '1.1',
        size_kb=size,
        total=total,
        used=used,
        reserved=0,
    )


def _object(name: str, version: str, **data: Any) -> dict[str, Any]:
    return {
        'nova_object.name': name,
        'nova_object.namespace': 'nova',
        'nova_object.version': version,
        _DATA: data,
        'nova_object.changes': list(data),
    }
