# SPDX-License-Identifier: Apache-2.0
"""What one host node lacks for one guest cell (pure).

The rules are Nova's (_numa_fit_instance_cell and
_numa_cell_supports_pagesize_request in nova/virt/hardware.py), but all of them
are asked: Nova stops at the first that fails.
"""

from __future__ import annotations

from collections.abc import Iterator
import math

from nova_numa_migrate.placement.cells import CpuPolicy
from nova_numa_migrate.placement.cells import GuestCell
from nova_numa_migrate.placement.cells import HostCell
from nova_numa_migrate.placement.cells import PagePool
from nova_numa_migrate.placement.cells import Pages
from nova_numa_migrate.placement.cells import Ratios
from nova_numa_migrate.placement.cells import ThreadPolicy
from nova_numa_migrate.placement.reasons import Lack
from nova_numa_migrate.placement.reasons import Resource

_KIB = 1024


def lacks(
    host: HostCell, guest: GuestCell, ratios: Ratios | None, reserved: int
) -> list[Lack]:
    """Everything that the node lacks for the guest cell, none if it fits.

    :param reserved: dedicated CPUs needed beside those of the vCPUs.
    """
    found = list(_memory(host, guest))
    if guest.pinned:
        found += _dedicated(host, guest, reserved)
    if guest.policy is not CpuPolicy.DEDICATED:
        found += _shared(host, guest, ratios)
    return found


def page_size(host: HostCell, guest: GuestCell) -> int | None:
    """KiB of the pages that the cell gets, of those that it asked for.

    The largest that has room; None when it asks for ordinary memory or
    nothing has room.
    """
    if guest.pages is None:
        return None
    for pool in _asked(host, guest.pages):
        if not any(_pages(pool, guest, use_free=True)):
            return pool.size
    return None


def _memory(host: HostCell, guest: GuestCell) -> Iterator[Lack]:
    if guest.pages is not None:
        yield from _asked_pages(host, guest, guest.pages)
    elif host.pools:
        smallest = min(host.pools)
        yield from _pages(smallest, guest, use_free=guest.pinned)
    elif not guest.pinned and host.memory < guest.memory:
        yield Lack(Resource.MEMORY_TOTAL, guest.memory, host.memory)
    elif guest.pinned and host.memory - host.memory_used < guest.memory:
        free = host.memory - host.memory_used
        yield Lack(Resource.MEMORY, guest.memory, free)


def _asked_pages(
    host: HostCell, guest: GuestCell, asked: int | Pages
) -> Iterator[Lack]:
    pools = _asked(host, asked)
    short = [list(_pages(pool, guest, use_free=True)) for pool in pools]
    if not pools:
        kind = asked.value if isinstance(asked, Pages) else f'{asked} KiB'
        yield Lack(Resource.POOL, guest.memory, 0, kind=kind)
    elif all(short):
        for found in short:
            yield from found


def _asked(host: HostCell, asked: int | Pages) -> list[PagePool]:
    """The pools that may serve the request, the largest pages first."""
    pools = sorted(host.pools, reverse=True)
    match asked:
        case Pages.SMALL:
            return pools[-1:]
        case Pages.LARGE:
            return pools[:-1]
        case Pages.ANY:
            return pools
    return [pool for pool in pools if pool.size == asked]


def _pages(pool: PagePool, guest: GuestCell, use_free: bool) -> Iterator[Lack]:
    size, kib = pool.size, guest.memory * _KIB
    pages = pool.free if use_free else pool.total
    if kib > pages * size:
        resource = Resource.PAGES if use_free else Resource.PAGES_TOTAL
        yield Lack(resource, guest.memory, pages * size // _KIB, size)
    if kib % size:
        whole = kib // size * size // _KIB
        yield Lack(Resource.WHOLE_PAGES, guest.memory, whole, size)


def _shared(
    host: HostCell, guest: GuestCell, ratios: Ratios | None
) -> Iterator[Lack]:
    if guest.shared > host.shared_cpus:
        yield Lack(Resource.SHARED, guest.shared, host.shared_cpus)
    if ratios is None:
        return
    cpus = host.shared_cpus * ratios.cpu
    if host.shared_used + guest.shared > cpus:
        free = math.floor(cpus - host.shared_used)
        yield Lack(Resource.SHARED_RATIO, guest.shared, free)
    memory = host.memory * ratios.ram
    if host.memory_used + guest.memory > memory:
        free = math.floor(memory - host.memory_used)
        yield Lack(Resource.MEMORY_RATIO, guest.memory, free)


def _dedicated(
    host: HostCell, guest: GuestCell, reserved: int
) -> Iterator[Lack]:
    needed = len(guest.dedicated)
    free = [len(core & host.free_cpus) for core in host.siblings]
    if needed + reserved > sum(free):
        kind = (
            Resource.DEDICATED_AND_EMULATOR if reserved else Resource.DEDICATED
        )
        yield Lack(kind, needed + reserved, sum(free))
    isolate = guest.threads is ThreadPolicy.ISOLATE
    if not needed and (reserved or isolate):
        yield Lack(Resource.DEDICATED_VCPUS, 1, 0)
    if isolate:
        yield from _isolated(host, needed, free, reserved)
    elif guest.threads is ThreadPolicy.REQUIRE:
        yield from _with_siblings(needed, free)


def _isolated(
    host: HostCell, needed: int, free: list[int], reserved: int
) -> Iterator[Lack]:
    """Each vCPU has a core to itself.

    With CPU sets of their own for shared and dedicated vCPUs, Nova has no
    such guest on a host with threads.  The reserved CPU's core is theirs as
    well, so it must be a whole one too, if only of fewer threads.
    """
    threads = host.threads_per_core
    if threads != 1 and not host.one_cpu_set:
        yield Lack(Resource.SINGLE_THREADS, 1, threads)
    largest = free.count(threads)
    if largest < max(needed, 1):
        yield Lack(Resource.WHOLE_CORES, max(needed, 1), largest)
        return
    whole = [
        count
        for count, core in zip(free, host.siblings, strict=True)
        if count and count == len(core)
    ]
    if needed + reserved > len(whole):
        yield Lack(Resource.WHOLE_CORES, needed + reserved, len(whole))


def _with_siblings(needed: int, free: list[int]) -> Iterator[Lack]:
    """The vCPUs sit on equally many threads, at least two, of each core."""
    room = [
        threads * sum(count >= threads for count in free)
        for threads in range(2, max(free, default=0) + 1)
    ]
    if not room or max(room) < needed:
        best = max(room, default=0)
        yield Lack(Resource.CORES_WITH_SIBLINGS, max(needed, 1), best)
