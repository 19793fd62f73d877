# SPDX-License-Identifier: Apache-2.0
"""Why a guest cannot be placed, in numbers and in words (pure).

Each reason is true by itself, and reads after the name of a host: ``compute2
node 1: needs 4 dedicated CPUs, 2 free``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
import dataclasses
import enum
from typing import NamedTuple

from nova_numa_migrate.placement.hosts import ranges


class Resource(enum.StrEnum):
    """What a node can lack for a guest cell; the value is the sentence."""

    DEDICATED = 'needs {needed} dedicated CPUs, {available} free'
    DEDICATED_AND_EMULATOR = (
        'needs {needed} dedicated CPUs, one of them for its isolated '
        'emulator threads, {available} free'
    )
    CORES_WITH_SIBLINGS = (
        'needs {needed} dedicated CPUs beside thread siblings (thread policy '
        'require), {available} free'
    )
    WHOLE_CORES = (
        'needs {needed} whole cores (thread policy isolate), {available} free'
    )
    SINGLE_THREADS = (
        'needs cores with {needed} thread (thread policy isolate), it has '
        'some with {available}'
    )
    DEDICATED_VCPUS = (
        'needs at least {needed} dedicated vCPU in each guest cell that is '
        'bound by a thread or emulator policy, this one has {available}'
    )
    SHARED = 'needs {needed} shared CPUs, it has {available}'
    SHARED_RATIO = (
        'needs {needed} shared CPUs, {available} free within the CPU '
        'allocation ratio'
    )
    MEMORY = 'needs {needed} MiB of memory, {available} MiB free'
    MEMORY_TOTAL = 'needs {needed} MiB of memory, it has {available} MiB'
    MEMORY_RATIO = (
        'needs {needed} MiB of memory, {available} MiB free within the RAM '
        'allocation ratio'
    )
    PAGES = 'needs {needed} MiB in pages of {page} KiB, {available} MiB free'
    PAGES_TOTAL = (
        'needs {needed} MiB in pages of {page} KiB, it has {available} MiB'
    )
    WHOLE_PAGES = (
        'needs {needed} MiB, which pages of {page} KiB cannot make up: they '
        'come to {available} MiB'
    )
    POOL = 'needs {needed} MiB in {kind} pages, it has no such pages'


class Lack(NamedTuple):
    """A resource of a node that falls short for a guest cell.

    ``page`` is a page size in KiB, ``kind`` the kind of pages asked for.
    """

    resource: Resource
    needed: int
    available: int
    page: int | None = None
    kind: str = ''

    def __str__(self) -> str:
        """The sentence, in numbers."""
        return self.resource.format(**self._asdict())


@dataclasses.dataclass(frozen=True, slots=True)
class Shortage:
    """A host node that lacks something for a guest cell."""

    cell: int
    node: int
    lack: Lack

    def __str__(self) -> str:
        """The node and what it lacks."""
        return f'node {self.node}: {self.lack}'


@dataclasses.dataclass(frozen=True, slots=True)
class NoSuchNode:
    """A node that was named and is not there; ``nodes`` are there."""

    cell: int
    node: int
    nodes: tuple[int, ...]

    def __str__(self) -> str:
        """The node and those that there are."""
        return f'node {self.node}: is not there (it has {ranges(self.nodes)})'


@dataclasses.dataclass(frozen=True, slots=True)
class WrongCount:
    """A map that does not name one node for each guest cell."""

    needed: int
    named: int

    def __str__(self) -> str:
        """Both numbers."""
        return f'map: names {self.named} nodes for {self.needed} guest cells'


@dataclasses.dataclass(frozen=True, slots=True)
class TooFewNodes:
    """Guest cells that fit only on fewer nodes than they are.

    By Hall's theorem there are such cells wherever no one to one map is.
    ``shortages`` says of each of the cells why the other nodes are none.
    """

    cells: tuple[int, ...]
    nodes: tuple[int, ...]
    shortages: tuple[Shortage, ...]

    def __str__(self) -> str:
        """The cells, the nodes, and what the other nodes lack for whom."""
        fit = f'they fit on {len(self.nodes)} ({ranges(self.nodes)})'
        text = (
            f'guest cells {ranges(self.cells)}: need {len(self.cells)} nodes, '
            f'{fit if self.nodes else "no node fits"}'
        )
        return '; '.join([text, *_by_cells(self.shortages)])


@dataclasses.dataclass(frozen=True, slots=True)
class NoAffinity:
    """Something of the guest's that is tied to nodes it cannot be on.

    ``nodes`` are those it is tied to.
    """

    what: str
    nodes: tuple[int, ...]

    def __str__(self) -> str:
        """What it is and where it would have to be."""
        return (
            f'{self.what}: needs a guest cell on node {ranges(self.nodes)}, '
            'where there is none'
        )


@dataclasses.dataclass(frozen=True, slots=True)
class NoDevices:
    """PCI devices that the guest's nodes, by their policies, do not have."""

    nodes: tuple[int, ...]

    def __str__(self) -> str:
        """The nodes."""
        return (
            'PCI devices: those asked for are not free for nodes '
            f'{ranges(self.nodes)}, by their NUMA affinity policies'
        )


@dataclasses.dataclass(frozen=True, slots=True)
class NoCommonMap:
    """Every cell fits somewhere, but no map meets all of these together.

    ``ties`` are the nodes that each network or device is tied to, and
    ``shortages`` why guest cells do not fit on those nodes.
    """

    ties: tuple[tuple[str, tuple[int, ...]], ...]
    shortages: tuple[Shortage, ...]

    def __str__(self) -> str:
        """Each tie with its nodes, and what those lack for whom."""
        ties = ' and '.join(
            f'{what} (node {ranges(nodes)})' for what, nodes in self.ties
        )
        text = f'nodes: no map that fits meets {ties}'
        return '; '.join([text, *_by_cells(self.shortages)])


@dataclasses.dataclass(frozen=True, slots=True)
class NoCandidate:
    """A host for which there is nothing left to allocate in Placement."""

    def __str__(self) -> str:
        """That."""
        return 'Placement: no allocation candidate is left'


Reason = (
    Shortage
    | NoSuchNode
    | WrongCount
    | TooFewNodes
    | NoAffinity
    | NoDevices
    | NoCommonMap
    | NoCandidate
)


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """The guest does not fit; there is at least one reason."""

    reasons: Sequence[Reason]

    def of(self, host: str, present: str | None = None) -> str:
        """Every reason as one text."""
        return '; '.join(self.each(host, present))

    def each(self, host: str, present: str | None = None) -> tuple[str, ...]:
        """Every reason, each after the host's name.

        :param present: the host that the guest is on now; there it needs its
            new cells beside its old ones.
        """
        told = tuple(f'{host} {reason}' for reason in self.reasons)
        if host != present:
            return told
        return (
            *told,
            f'what the guest has on {host} now stays booked until the move '
            'is confirmed',
        )


def _by_cells(shortages: Iterable[Shortage]) -> Iterator[str]:
    """What each node lacks, told once for all cells that it is the same."""
    alike: dict[tuple[int, Lack], list[int]] = {}
    for short in shortages:
        alike.setdefault((short.node, short.lack), []).append(short.cell)
    for (node, lack), cells in alike.items():
        yield f'node {node}: {lack} (cells {ranges(cells)})'
