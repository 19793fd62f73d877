# SPDX-License-Identifier: Apache-2.0
"""Whether this host's nodes have the memory that a guest needs, right now.

Nova books what it promises to guests and knows nothing of what else lies on a
node.  A guest's memory is bound strictly: where the node is short the kernel
ends a process to make room, and that may be a neighbour.  So the kernel is
asked, page pool by page pool.  Pure: only sysfs is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
import dataclasses
import os
from pathlib import Path
import re

#: Where the kernel tells about its nodes.
ROOT = Path('/sys/devices/system/node')

#: KiB of a page of the ordinary pool.
BASE_PAGE_KIB = os.sysconf('SC_PAGE_SIZE') // 1024

#: The share of its caches that the kernel counts as available at worst
#: (si_mem_available in mm/show_mem.c).
CACHE_AT_WORST = 0.5

_FIELD = re.compile(r'^Node \d+ (\S+): +(\d+) kB$', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Need:
    """Memory of one guest cell: KiB, in pages of so many KiB, on a node."""

    node: int
    kib: int
    page_kib: int


def shortages(
    needs: Iterable[Need],
    promised: Iterable[Need] = (),
    margin_kib: int = 0,
    *,
    cache: float = CACHE_AT_WORST,
) -> list[str]:
    """What each node lacks, for people; empty where there is room.

    :param promised: what guests on their way here will take and have not.
    :param margin_kib: has to stay free of each node's ordinary pages.
    :param cache: the share of a node's caches that counts as free, 0 to 1.
    """
    wanted, taken = _by_pool(needs), _by_pool(promised)
    found = (
        _shortage(Need(node, kib, page), taken[node, page], margin_kib, cache)
        for (node, page), kib in sorted(wanted.items())
    )
    return [text for text in found if text]


def _by_pool(needs: Iterable[Need]) -> Counter[tuple[int, int]]:
    pools: Counter[tuple[int, int]] = Counter()
    for need in needs:
        pools[need.node, need.page_kib] += need.kib
    return pools


def _shortage(need: Need, promised: int, margin: int, cache: float) -> str:
    node, kib, page = need.node, need.kib, need.page_kib
    try:
        free = _free(node, page, cache)
    except FileNotFoundError:
        return f'it has no node {node} with pages of {page} KiB now'
    if page != BASE_PAGE_KIB:
        margin = 0
    if free - promised - margin >= kib:
        return ''
    return (
        f'node {node} has {_mib(free)} MiB free now in pages of {page} KiB, '
        f'{_mib(promised)} MiB of them promised to guests on their way and '
        f'{_mib(margin)} MiB to stay free; the guest needs {_mib(kib)} MiB'
    )


def _free(node: int, page: int, cache: float) -> int:
    """KiB of a pool that a bound guest can get without anybody's end.

    :raises FileNotFoundError: when there is no such node or pool.
    """
    directory = ROOT / f'node{node}'
    if page == BASE_PAGE_KIB:
        return _available((directory / 'meminfo').read_text(), cache)
    pool = directory / 'hugepages' / f'hugepages-{page}kB' / 'free_hugepages'
    return int(pool.read_text()) * page


def _available(meminfo: str, share: float) -> int:
    """Free and what the kernel gives up for it, from a node's meminfo.

    A share of the page cache and of the reclaimable slab: MemAvailable, which
    counts them for a host, is not there for a node.
    """
    fields = {name: int(kib) for name, kib in _FIELD.findall(meminfo)}
    cache = fields.get('Active(file)', 0) + fields.get('Inactive(file)', 0)
    cache += fields.get('SReclaimable', 0)
    return fields['MemFree'] + int(cache * share)


def _mib(kib: int) -> int:
    return kib // 1024
