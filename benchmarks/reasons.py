# SPDX-License-Identifier: Apache-2.0
"""Whether a reason is true, found out anew from Nova's own objects."""

from __future__ import annotations

from collections.abc import Callable
import math
from typing import Any

from benchmarks.oracle import Oracle
from nova_numa_migrate.placement.reasons import NoAffinity
from nova_numa_migrate.placement.reasons import NoCommonMap
from nova_numa_migrate.placement.reasons import NoDevices
from nova_numa_migrate.placement.reasons import NoSuchNode
from nova_numa_migrate.placement.reasons import Reason
from nova_numa_migrate.placement.reasons import Resource
from nova_numa_migrate.placement.reasons import Shortage
from nova_numa_migrate.placement.reasons import TooFewNodes
from nova_numa_migrate.placement.reasons import WrongCount

_KIB = 1024


def is_true(oracle: Oracle, reason: Reason, nodes: tuple[int, ...]) -> bool:
    """Whether the reason holds, and so forbids the guest to be there.

    :param nodes: the map that was refused, empty where none was named.
    """
    match reason:
        case Shortage(cell, node, lack):
            return not oracle.cell_fits(cell, node) and _is_short(
                oracle, cell, node, lack
            )
        case NoSuchNode(cell, node, there):
            return (
                nodes[cell] == node
                and node not in oracle.nodes
                and there == tuple(sorted(oracle.nodes))
            )
        case WrongCount(needed, named):
            cells = len(oracle.case.guest.cells)
            return cells == needed != named == len(nodes)
        case TooFewNodes():
            return _are_too_few(oracle, reason)
        case NoAffinity(what, tied):
            return _is_tied(oracle, what, tied) and not set(tied) & set(nodes)
        case NoDevices(tied):
            return set(tied) == set(nodes) and oracle.devices_untied(nodes)
        case NoCommonMap():
            return _none_in_common(oracle, reason)
    return False


def _are_too_few(oracle: Oracle, reason: TooFewNodes) -> bool:
    others = set(oracle.nodes) - set(reason.nodes)
    told = {(short.cell, short.node) for short in reason.shortages}
    return (
        len(set(reason.cells)) > len(reason.nodes)
        and told == {(cell, node) for cell in reason.cells for node in others}
        and all(is_true(oracle, short, ()) for short in reason.shortages)
    )


def _none_in_common(oracle: Oracle, reason: NoCommonMap) -> bool:
    return (
        all(
            what == 'PCI devices' or _is_tied(oracle, what, tied)
            for what, tied in reason.ties
        )
        and any(map(oracle.cells_fit, oracle.maps()))
        and not any(
            oracle.cells_fit(nodes) and not oracle.untied(nodes)
            for nodes in oracle.maps()
        )
        and all(is_true(oracle, short, ()) for short in reason.shortages)
    )


def _is_tied(oracle: Oracle, what: str, tied: tuple[int, ...]) -> bool:
    asked = oracle.case.limits.network_metadata
    name = what.removeprefix('physical network ')
    cells = [
        cell for cell in oracle.nodes.values() if 'network_metadata' in cell
    ]
    if what == 'tunnelled network':
        return asked.tunneled and set(tied) == {
            cell.id for cell in cells if cell.network_metadata.tunneled
        }
    return name in asked.physnets and set(tied) == {
        cell.id for cell in cells if name in cell.network_metadata.physnets
    }


def _is_short(oracle: Oracle, cell: int, node: int, lack: Any) -> bool:
    host, guest = oracle.nodes[node], oracle.case.guest.cells[cell]
    topology = oracle.case.guest
    extra = int(topology.emulator_threads_isolated and cell == 0)
    available = _AVAILABLE[lack.resource](host, oracle.case.limits, lack)
    needed = _NEEDED.get(lack.resource, _memory)(guest, extra)
    if lack.resource is Resource.WHOLE_CORES:
        # Said of the vCPUs' cores, or of those with the emulator's core.
        needed, available = _cores(host, guest, extra)
    if lack.resource is Resource.SINGLE_THREADS:
        return bool(lack.needed == needed < lack.available == available)
    if lack.resource is Resource.WHOLE_PAGES:
        available = guest.memory * _KIB // lack.page * lack.page // _KIB
        whole = guest.memory * _KIB % lack.page == 0
        return not whole and (lack.needed, lack.available) == (
            needed,
            available,
        )
    return bool(lack.needed == needed > lack.available == available)


def _memory(guest: Any, extra: int) -> int:
    return int(guest.memory)


def _cores(host: Any, guest: Any, extra: int) -> tuple[int, int]:
    threads = max(len(core) for core in host.siblings)
    whole = [core for core in host.siblings if core and not _used(host, core)]
    largest = sum(len(core) == threads for core in whole)
    needed = max(len(guest.pcpuset), 1)
    if largest < needed:
        return needed, largest
    return len(guest.pcpuset) + extra, len(whole)


def _used(host: Any, core: set[int]) -> Any:
    return core - (host.pcpuset - host.pinned_cpus)


def _free(host: Any) -> list[int]:
    return [len(core - _used(host, core)) for core in host.siblings]


def _beside_siblings(host: Any) -> int:
    free = _free(host)
    return max(
        (
            n * sum(f >= n for f in free)
            for n in range(2, max(free, default=0) + 1)
        ),
        default=0,
    )


def _pool(host: Any, size: int, total: bool) -> Any:
    [pool] = [pool for pool in host.mempages if pool.size_kb == size]
    pages = pool.total - (0 if total else pool.used + pool.reserved)
    return pages * size // _KIB


def _asked_pools(host: Any, kind: str) -> int:
    sizes = sorted(pool.size_kb for pool in host.mempages)
    if kind == 'large':
        return len(sizes[1:])
    if kind in ('small', 'any'):
        return len(sizes)
    return sizes.count(int(kind.removesuffix(' KiB')))


_Available = Callable[[Any, Any, Any], int]
_AVAILABLE: dict[Resource, _Available] = {
    Resource.DEDICATED: lambda host, _, __: sum(_free(host)),
    Resource.DEDICATED_AND_EMULATOR: lambda host, _, __: sum(_free(host)),
    Resource.CORES_WITH_SIBLINGS: lambda host, _, __: _beside_siblings(host),
    Resource.WHOLE_CORES: lambda host, _, __: 0,
    Resource.SINGLE_THREADS: lambda host, _, __: max(map(len, host.siblings)),
    Resource.DEDICATED_VCPUS: lambda host, _, __: 0,
    Resource.SHARED: lambda host, _, __: len(host.cpuset),
    Resource.SHARED_RATIO: lambda host, limits, _: math.floor(
        len(host.cpuset) * limits.cpu_allocation_ratio - host.cpu_usage
    ),
    Resource.MEMORY: lambda host, _, __: host.memory - host.memory_usage,
    Resource.MEMORY_TOTAL: lambda host, _, __: host.memory,
    Resource.MEMORY_RATIO: lambda host, limits, _: math.floor(
        host.memory * limits.ram_allocation_ratio - host.memory_usage
    ),
    Resource.PAGES: lambda host, _, lack: _pool(host, lack.page, False),
    Resource.PAGES_TOTAL: lambda host, _, lack: _pool(host, lack.page, True),
    Resource.WHOLE_PAGES: lambda host, _, __: 0,
    Resource.POOL: lambda host, _, lack: _asked_pools(host, lack.kind),
}

_NEEDED: dict[Resource, Callable[[Any, int], int]] = {
    Resource.DEDICATED: lambda guest, extra: len(guest.pcpuset) + extra,
    Resource.DEDICATED_AND_EMULATOR: (
        lambda guest, extra: len(guest.pcpuset) + extra
    ),
    Resource.CORES_WITH_SIBLINGS: (
        lambda guest, extra: max(len(guest.pcpuset), 1)
    ),
    Resource.SINGLE_THREADS: lambda guest, extra: 1,
    Resource.DEDICATED_VCPUS: lambda guest, extra: (
        1 if not guest.pcpuset else 0
    ),
    Resource.SHARED: lambda guest, extra: len(guest.cpuset),
    Resource.SHARED_RATIO: lambda guest, extra: len(guest.cpuset),
}
