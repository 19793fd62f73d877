# SPDX-License-Identifier: Apache-2.0
"""What one host node lacks for one guest cell (pure).

The rules are Nova's (_numa_fit_instance_cell and
_numa_cell_supports_pagesize_request in nova/virt/hardware.py), but all of them
are asked: Nova stops at the first that fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    found = _memory(host, guest)
    if guest.policy is not CpuPolicy.SHARED:
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
        if not _free_pages(pool, guest):
            return pool.size
    return None


def _memory(host: HostCell, guest: GuestCell) -> list[Lack]:
    if guest.pages is not None:
        return _asked_pages(host, guest, guest.pages)
    if host.pools:
        smallest = host.pools[-1]
        if guest.pinned:
            return _free_pages(smallest, guest)
        return _all_pages(smallest, guest)
    if not guest.pinned:
        if host.memory < guest.memory:
            return [Lack(Resource.MEMORY_TOTAL, guest.memory, host.memory)]
        return []
    free = host.memory - host.memory_used
    if free < guest.memory:
        return [Lack(Resource.MEMORY, guest.memory, free)]
    return []


def _asked_pages(
    host: HostCell, guest: GuestCell, asked: int | Pages
) -> list[Lack]:
    found = []
    for pool in _asked(host, asked):
        short = _free_pages(pool, guest)
        if not short:
            return []
        found += short
    if found:
        return found
    kind = asked.value if isinstance(asked, Pages) else f'{asked} KiB'
    return [Lack(Resource.POOL, guest.memory, 0, kind=kind)]


def _asked(host: HostCell, asked: int | Pages) -> Sequence[PagePool]:
    """The pools that may serve the request, the largest pages first."""
    if not isinstance(asked, Pages):
        return [pool for pool in host.pools if pool.size == asked]
    if asked is Pages.SMALL:
        return host.pools[-1:]
    return host.pools[:-1] if asked is Pages.LARGE else host.pools


def _free_pages(pool: PagePool, guest: GuestCell) -> list[Lack]:
    return _pages(pool, guest, pool.free, Resource.PAGES)


def _all_pages(pool: PagePool, guest: GuestCell) -> list[Lack]:
    return _pages(pool, guest, pool.total, Resource.PAGES_TOTAL)


def _pages(
    pool: PagePool, guest: GuestCell, pages: int, resource: Resource
) -> list[Lack]:
    found = []
    size, kib = pool.size, guest.memory * _KIB
    if kib > pages * size:
        found = [Lack(resource, guest.memory, pages * size // _KIB, size)]
    if kib % size:
        whole = kib // size * size // _KIB
        found.append(Lack(Resource.WHOLE_PAGES, guest.memory, whole, size))
    return found


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
    needed, free = len(guest.dedicated), len(host.free_cpus)
    isolate = guest.threads is ThreadPolicy.ISOLATE
    if needed + reserved > free:
        kind = (
            Resource.DEDICATED_AND_EMULATOR if reserved else Resource.DEDICATED
        )
        yield Lack(kind, needed + reserved, free)
    if not needed and (reserved or isolate):
        yield Lack(Resource.DEDICATED_VCPUS, 1, 0)
    if isolate:
        yield from _isolated(host, needed, reserved)
    elif guest.threads is ThreadPolicy.REQUIRE:
        yield from _with_siblings(host, needed)


def _isolated(host: HostCell, needed: int, reserved: int) -> Iterator[Lack]:
    """Each vCPU has a core to itself.

    With CPU sets of their own for shared and dedicated vCPUs, Nova has no
    such guest on a host with threads.  The reserved CPU's core is theirs as
    well, so it must be a whole one too, if only of fewer threads.
    """
    threads = host.threads_per_core
    if threads != 1 and not host.one_cpu_set:
        yield Lack(Resource.SINGLE_THREADS, 1, threads)
    whole = [len(core) for core in host.siblings if core <= host.free_cpus]
    largest = whole.count(threads)
    if largest < max(needed, 1):
        yield Lack(Resource.WHOLE_CORES, max(needed, 1), largest)
    elif needed + reserved > len(whole):
        yield Lack(Resource.WHOLE_CORES, needed + reserved, len(whole))


def _with_siblings(host: HostCell, needed: int) -> Iterator[Lack]:
    """The vCPUs sit on equally many threads, at least two, of each core."""
    free = [len(core & host.free_cpus) for core in host.siblings]
    room = [
        threads * sum(count >= threads for count in free)
        for threads in range(2, max(free, default=0) + 1)
    ]
    if not room or max(room) < needed:
        best = max(room, default=0)
        yield Lack(Resource.CORES_WITH_SIBLINGS, max(needed, 1), best)
