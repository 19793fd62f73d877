# SPDX-License-Identifier: Apache-2.0
"""Guest RAM in a QEMU process, as the kernel tells it.

``/proc/PID/maps`` gives the extent of each area and ``/proc/PID/numa_maps``
its memory policy and its pages per node; the two are joined by their start
address.  QEMU maps the RAM of each guest cell as one area of exactly the
cell's size, which is how its areas are found.  Pure: the texts are arguments.

Source of the format: Documentation/filesystems/proc.rst and
Documentation/admin-guide/mm/numa_memory_policy.rst of Linux.
"""

from __future__ import annotations

from collections.abc import Iterable
import dataclasses
import re

_KIB = 1024
# "prefer (many)" and "weighted interleave" have a space in their name.
_LINE = re.compile(
    r'(?P<start>[0-9a-f]+) '
    r'(?P<policy>(?:weighted )?\S+(?: \(many\)\S*)?)(?P<rest>.*)'
)
# A field stands alone: the name of a file may hold anything but blanks.
_PAGES = re.compile(r'(?<!\S)N(?P<node>\d+)=(?P<pages>\d+)')
_PAGE_SIZE = re.compile(r'(?<!\S)kernelpagesize_kB=(\d+)')
_BOUND_TO = re.compile(r'bind(?:=static)?:(?P<node>\d+)')


@dataclasses.dataclass(frozen=True)
class Area:
    """One mapping of a process.

    ``size`` is in bytes, ``pages`` counts pages of ``page_size`` bytes per
    host node, ``policy`` is the kernel's text, as ``bind:3``.
    """

    start: int
    size: int
    policy: str
    page_size: int
    pages: dict[int, int]

    @property
    def node(self) -> int | None:
        """The one node this area is bound to, if it is bound to one."""
        match = _BOUND_TO.fullmatch(self.policy)
        return None if match is None else int(match['node'])


def areas(maps: str, numa_maps: str) -> list[Area]:
    """The areas of a process that hold pages or a policy, by address."""
    sizes = dict(_extents(maps.splitlines()))
    return [
        _area(start, sizes[start], match['policy'], match['rest'])
        for start, match in _numa_lines(numa_maps.splitlines())
        if start in sizes
    ]


def guest_ram(
    found: Iterable[Area], cell_sizes: list[int], nodes: list[int]
) -> list[Area | None]:
    """The area of each guest cell, None where there is none of its size.

    Cells of equal size are told apart by the node that their area is bound
    to.  What is left over goes by address from the highest on: QEMU maps the
    cells in their order, and Linux gives out addresses from the top down.

    :param cell_sizes: bytes of each guest cell.
    :param nodes: the host node that each guest cell was asked to be on.
    """
    left = sorted(found, key=lambda area: area.start, reverse=True)
    result: list[Area | None] = [None] * len(cell_sizes)
    for bound in (True, False):
        for cell, (size, node) in enumerate(
            zip(cell_sizes, nodes, strict=True)
        ):
            if result[cell] is not None:
                continue
            for area in left:
                if area.size == size and (not bound or area.node == node):
                    result[cell] = area
                    left.remove(area)
                    break
    return result


def _extents(lines: Iterable[str]) -> Iterable[tuple[int, int]]:
    for line in lines:
        first, _, last = line.split(maxsplit=1)[0].partition('-')
        yield int(first, 16), int(last, 16) - int(first, 16)


def _numa_lines(lines: Iterable[str]) -> Iterable[tuple[int, re.Match[str]]]:
    for match in filter(None, map(_LINE.match, lines)):
        yield int(match['start'], 16), match


def _area(start: int, size: int, policy: str, text: str) -> Area:
    page_size = _PAGE_SIZE.search(text)
    return Area(
        start,
        size,
        policy,
        int(page_size[1]) * _KIB if page_size else 4 * _KIB,
        {
            int(match['node']): int(match['pages'])
            for match in _PAGES.finditer(text)
        },
    )
