# SPDX-License-Identifier: Apache-2.0
"""What a placement is decided on: a host's nodes and a guest's cells (pure).

CPUs are ids as the host and the guest number them, memory is in MiB and page
sizes are in KiB, as Nova keeps them.  Realtime vCPUs are dedicated ones: they
ask nothing more of a node.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
import dataclasses
import enum
from typing import NamedTuple


class CpuPolicy(enum.StrEnum):
    """How the vCPUs of a guest get host CPUs: ``hw:cpu_policy``."""

    SHARED = 'shared'
    DEDICATED = 'dedicated'
    MIXED = 'mixed'


class ThreadPolicy(enum.StrEnum):
    """Where dedicated vCPUs may sit on cores: ``hw:cpu_thread_policy``."""

    PREFER = 'prefer'
    ISOLATE = 'isolate'
    REQUIRE = 'require'


class Pages(enum.StrEnum):
    """A request for pages that names no size: ``hw:mem_page_size``."""

    SMALL = 'small'
    LARGE = 'large'
    ANY = 'any'


class PagePool(NamedTuple):
    """Pages of one size on a node; ``total`` and ``free`` count pages.

    ``free`` is without the pages that are reserved for the host.
    """

    size: int
    total: int
    free: int


@dataclasses.dataclass(frozen=True, slots=True)
class HostCell:
    """One NUMA node of a host.

    ``shared_cpus`` counts the CPUs for shared vCPUs and ``shared_used`` the
    vCPUs on them.  ``siblings`` are the threads of each core, whoever has
    them, and ``free_cpus`` the dedicated ones of them that nobody has.
    ``one_cpu_set`` tells that the host has the same CPUs for both
    (``vcpu_pin_set``).  ``memory`` and ``memory_used`` are in MiB, of
    ``pools`` the one with the largest pages comes first.  ``physnets`` and
    ``tunneled`` are the networks whose interface is on this node.
    """

    node: int
    shared_cpus: int
    shared_used: int
    free_cpus: Set[int]
    siblings: Sequence[Set[int]]
    one_cpu_set: bool
    memory: int
    memory_used: int
    pools: Sequence[PagePool]
    physnets: Set[str] = frozenset()
    tunneled: bool = False

    @property
    def threads_per_core(self) -> int:
        """Threads of the largest core, used or not."""
        return max(map(len, self.siblings), default=1) or 1


class Ratios(NamedTuple):
    """How far shared CPUs and their guests' memory may be overcommitted."""

    cpu: float
    ram: float


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """A host's nodes; without ``ratios`` overcommitment has no limit."""

    cells: Sequence[HostCell]
    ratios: Ratios | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class GuestCell:
    """One NUMA cell of a guest.

    ``memory`` is in MiB, ``pages`` a size in KiB, a kind of size, or None for
    ordinary memory.  ``shared`` counts the shared vCPUs, ``dedicated`` are
    the ids of the others.
    """

    memory: int
    policy: CpuPolicy = CpuPolicy.SHARED
    shared: int = 0
    dedicated: frozenset[int] = frozenset()
    threads: ThreadPolicy | None = None
    pages: int | Pages | None = None

    @property
    def pinned(self) -> bool:
        """Whether it may not be overcommitted, as Nova has it."""
        return self.policy is not CpuPolicy.SHARED


@dataclasses.dataclass(frozen=True, slots=True)
class Guest:
    """A guest's cells, and what it asks of all of them together.

    With ``emulator_isolated`` its emulator threads get a dedicated CPU of
    their own, always on the node of guest cell 0, as Nova has it.
    ``physnets`` and ``tunneled`` are the networks of its ports.
    """

    cells: Sequence[GuestCell]
    emulator_isolated: bool = False
    physnets: Set[str] = frozenset()
    tunneled: bool = False

    def reserved(self, cell: int) -> int:
        """Dedicated CPUs that this guest cell needs beside its vCPUs'."""
        return int(
            self.emulator_isolated and cell == 0 and self.cells[cell].pinned
        )
