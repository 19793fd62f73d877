# SPDX-License-Identifier: Apache-2.0
"""Guest RAM in a QEMU process, as the kernel tells it.

``/proc/PID/maps`` gives the extent of each area and ``/proc/PID/numa_maps``
its memory policy and its pages per node; the two are joined by their start
address.  QEMU maps the RAM of each guest cell as one area of exactly the
cell's size, bound as its command line says, which is how it is found.
Pure: the texts are arguments.

Source of the format: Documentation/filesystems/proc.rst and
Documentation/admin-guide/mm/numa_memory_policy.rst of Linux.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
import dataclasses
import itertools
import json
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
_BOUND_TO = re.compile(r'bind(?:=static)?:(?P<nodes>[\d,-]+)')
_BACKEND = re.compile(r'ram-node(?P<cell>\d+)')


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
    def nodes(self) -> frozenset[int]:
        """The nodes this area is bound to, none when it is not bound."""
        match = _BOUND_TO.fullmatch(self.policy)
        return frozenset(_numbers(match['nodes']) if match else ())


def areas(maps: str, numa_maps: str) -> list[Area]:
    """The areas of a process that hold pages or a policy, by address."""
    sizes = dict(_extents(maps.splitlines()))
    return [
        _area(start, sizes[start], match['policy'], match['rest'])
        for start, match in _numa_lines(numa_maps.splitlines())
        if start in sizes
    ]


def bindings(cmdline: str) -> dict[int, frozenset[int]]:
    """The host nodes that QEMU was told to bind each guest cell to.

    libvirt names the memory of guest cell 2 ``ram-node2``, which is what
    tells cells of equal size apart.

    :param cmdline: ``/proc/PID/cmdline``; arguments end with a NUL.
    """
    arguments = cmdline.split('\0')
    objects = [
        json.loads(value)
        for option, value in itertools.pairwise(arguments)
        if option == '-object' and value.startswith('{')
    ]
    return {
        int(match['cell']): frozenset(made['host-nodes'])
        for made in objects
        if (match := _BACKEND.fullmatch(made.get('id', '')))
        and 'host-nodes' in made
    }


def guest_ram(
    found: Iterable[Area],
    cell_sizes: list[int],
    bound: Mapping[int, frozenset[int]],
) -> list[Area | None]:
    """The area of each guest cell, None where there is none of its size.

    A cell that was bound gets an area with that binding.  What is left over
    goes by address from the highest on: QEMU maps the cells in their order,
    and Linux gives out addresses from the top down.

    :param cell_sizes: bytes of each guest cell.
    :param bound: the host nodes that each cell was bound to, see bindings.
    """
    left = sorted(found, key=lambda area: area.start, reverse=True)
    result: list[Area | None] = [None] * len(cell_sizes)
    # The cells that were bound take theirs first.
    for cell in sorted(range(len(cell_sizes)), key=lambda c: c not in bound):
        for area in left:
            if area.size == cell_sizes[cell] and (
                cell not in bound or area.nodes == bound[cell]
            ):
                result[cell] = area
                left.remove(area)
                break
    return result


def _numbers(ranges: str) -> Iterator[int]:
    """The numbers of the kernel's list format, as ``0-1,3``."""
    for part in ranges.split(','):
        first, _, last = part.partition('-')
        yield from range(int(first), int(last or first) + 1)


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
