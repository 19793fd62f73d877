# SPDX-License-Identifier: Apache-2.0
"""Random hosts and guests as Nova's own objects, hard to place but not too.

Sizes come from few values, so that about half of the cases fit and the rest
fail for all sorts of reasons.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Any
import uuid

from nova import objects
from nova.pci import stats as pci_stats

objects.register_all()

KIB_PAGES = (4, 2048, 1048576)
_ASKED_PAGES = (*6 * (None,), -1, -2, -3, *KIB_PAGES, 16384)
_MEMORY = (1024, 1024, 2048, 3072, 1025)
_PHYSNETS = ('blue', 'red')
_RATIOS = ((1.0, 1.0), (4.0, 1.5), (1.1, 1.0))


@dataclasses.dataclass
class Case:
    """A host and a guest that asks for a place there, as Nova has them.

    ``limits`` and ``requests`` may be None, ``stats`` goes with ``requests``.
    """

    host: Any
    guest: Any
    limits: Any
    requests: Any
    stats: Any


def case(rng: random.Random, cells: int, symmetric: bool) -> Case:
    """One case with so many guest cells, all of them alike or each its own."""
    host = _host(rng, rng.randint(cells, cells + 2))
    guest = _guest(rng, cells, symmetric)
    requests, stats = _devices(rng, host)
    return Case(host, guest, _limits(rng), requests, stats)


def _host(rng: random.Random, nodes: int) -> Any:
    threads = rng.choice((1, 1, 2, 2, 2, 4))
    one_set = rng.random() < 0.3
    affinity = rng.random() < 0.2
    pools = rng.choice((0, 1, 2, 3, 3, 3))
    cells = [
        _host_cell(rng, node, threads, one_set, pools) for node in range(nodes)
    ]
    if affinity:
        for cell in cells:
            cell.network_metadata = _networks(rng, 0.4)
    return objects.NUMATopology(cells=cells)


def _host_cell(
    rng: random.Random, node: int, threads: int, one_set: bool, pools: int
) -> Any:
    count = threads * rng.choice((1, 2, 3, 4))
    cpus = list(range(100 * node, 100 * node + count))
    siblings = [set(cpus[i : i + threads]) for i in range(0, count, threads)]
    if count > 1 and rng.random() < 0.1:
        siblings[-1] -= {cpus.pop()}
    siblings = [core for core in siblings if core]
    shared = {100 * node + 50 + i for i in range(rng.choice((1, 2, 4)))}
    dedicated = set(cpus)
    if one_set:
        shared = set(cpus)
    else:
        siblings += [{cpu} for cpu in sorted(shared)]
    memory = rng.choice((2048, 4096, 4096, 8192))
    used = rng.choice((0, 0, 0, 1024, 3000))
    return objects.NUMACell(
        id=node,
        cpuset=shared,
        pcpuset=dedicated,
        memory=memory,
        cpu_usage=rng.choice((0, 0, 0, 1, 3)),
        memory_usage=used,
        pinned_cpus={c for c in dedicated if rng.random() < 0.15},
        siblings=siblings,
        mempages=[
            _pool(rng, size, memory, used) for size in KIB_PAGES[:pools]
        ],
        socket=node // 2,
    )


def _pool(rng: random.Random, size: int, memory: int, used: int) -> Any:
    total = memory * 1024 // size
    return objects.NUMAPagesTopology(
        size_kb=size,
        total=total,
        used=min(total, rng.choice((0, used * 1024 // size))),
        reserved=rng.choice((0, 0, 0, 0, total // 2)),
    )


def _guest(rng: random.Random, cells: int, symmetric: bool) -> Any:
    policy = rng.choice((None, 'shared', 'dedicated', 'dedicated', 'mixed'))
    pinned = policy in ('dedicated', 'mixed')
    alike = {
        'cpu_policy': policy,
        'pagesize': rng.choice(_ASKED_PAGES),
        'cpu_thread_policy': (
            rng.choice((None, 'prefer', 'isolate', 'require'))
            if pinned
            else None
        ),
    }
    one = _shape(rng, policy)
    shapes = [one if symmetric else _shape(rng, policy) for _ in range(cells)]
    emulator = rng.choice((None, 'isolate', 'share')) if pinned else None
    return objects.InstanceNUMATopology(
        cells=[
            objects.InstanceNUMACell(
                id=cell,
                cpuset={20 * cell + 10 + vcpu for vcpu in range(shared)},
                pcpuset={20 * cell + vcpu for vcpu in range(dedicated)},
                memory=memory,
                **alike,
            )
            for cell, (memory, shared, dedicated) in enumerate(shapes)
        ],
        emulator_threads_policy=emulator,
    )


def _shape(rng: random.Random, policy: str | None) -> tuple[int, int, int]:
    """MiB, shared and dedicated vCPUs of a cell."""
    memory, count = rng.choice(_MEMORY), rng.choice((1, 1, 2, 2, 3, 4))
    if policy == 'dedicated':
        return memory, 0, count
    if policy == 'mixed':
        dedicated = rng.randint(0, count)
        return memory, count - dedicated, dedicated
    return memory, count, 0


def _limits(rng: random.Random) -> Any:
    if rng.random() < 0.1:
        return None
    cpu, ram = rng.choice(_RATIOS)
    limits = objects.NUMATopologyLimits(
        cpu_allocation_ratio=cpu, ram_allocation_ratio=ram
    )
    if rng.random() < 0.4:
        limits.network_metadata = _networks(rng, 0.6)
    return limits


def _networks(rng: random.Random, likely: float) -> Any:
    return objects.NetworkMetadata(
        physnets={name for name in _PHYSNETS if rng.random() < likely},
        tunneled=rng.random() < likely / 2,
    )


def _devices(rng: random.Random, host: Any) -> tuple[Any, Any]:
    if rng.random() < 0.8:
        return None, None
    stats = pci_stats.PciDeviceStats(host)
    stats.pools = [
        {
            'vendor_id': '8086',
            'product_id': product,
            'numa_node': rng.choice([None, *(c.id for c in host.cells)]),
            'dev_type': 'type-PCI',
            'count': rng.choice((1, 2)),
        }
        for product in ('1', '2')
        for _ in range(rng.randint(1, 2))
    ]
    policies = ('required', 'legacy', 'preferred', 'socket', None)
    requests = [
        objects.InstancePCIRequest(
            count=rng.choice((1, 1, 2)),
            spec=[{'vendor_id': '8086', 'product_id': product}],
            request_id=str(uuid.UUID(int=int(product))),
            numa_policy=rng.choice(policies),
        )
        for product in ('1', '2')[: rng.randint(1, 2)]
    ]
    return objects.InstancePCIRequests(requests=requests), stats
