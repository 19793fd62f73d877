# SPDX-License-Identifier: Apache-2.0
"""Which host CPUs the dedicated vCPUs of a cell get (pure).

Cores are filled as Nova fills them (_pack_instance_onto_cores in
nova/virt/hardware.py): as many threads of each as all vCPUs can have, so that
a guest's vCPUs sit beside one another.
"""

from __future__ import annotations

from collections.abc import Sequence
import itertools
from typing import NamedTuple

from nova_numa_migrate.placement.cells import GuestCell
from nova_numa_migrate.placement.cells import HostCell
from nova_numa_migrate.placement.cells import ThreadPolicy

Cores = Sequence[Sequence[int]]


class Pinning(NamedTuple):
    """Host CPU of each dedicated vCPU, and those of emulator threads."""

    vcpus: dict[int, int]
    emulator: frozenset[int] = frozenset()


def pin(host: HostCell, guest: GuestCell, reserved: int) -> Pinning:
    """A pinning of a guest cell on a node that lacks nothing for it.

    :param reserved: dedicated CPUs for emulator threads.
    """
    vcpus = sorted(guest.dedicated)
    cores: Cores = [sorted(core & host.free_cpus) for core in host.siblings]
    if guest.threads is ThreadPolicy.ISOLATE:
        cpus = _one_a_core(cores, host.threads_per_core)
    else:
        cpus = _beside_one_another(cores, len(vcpus))
    chosen = dict(zip(vcpus, cpus, strict=False))
    taken = frozenset(chosen.values())
    if not reserved:
        return Pinning(chosen)
    if guest.threads is ThreadPolicy.ISOLATE:
        cores = _untouched(cores, host, taken)
    left = [cpu for core in cores for cpu in core if cpu not in taken]
    return Pinning(chosen, frozenset(left[:reserved]))


def _one_a_core(cores: Cores, threads: int) -> list[int]:
    return [core[0] for core in cores if len(core) == threads]


def _beside_one_another(cores: Cores, needed: int) -> list[int]:
    """The most threads of each core with which all vCPUs have one."""
    for threads in range(max(map(len, cores), default=0), 0, -1):
        usable = [core[:threads] for core in cores if len(core) >= threads]
        if threads * len(usable) >= needed:
            return list(itertools.chain(*usable))
    # No number of threads serves them all: fill whatever is free.
    return list(itertools.chain(*cores))


def _untouched(cores: Cores, host: HostCell, taken: frozenset[int]) -> Cores:
    """Cores that are wholly free: Nova books all of an isolated one."""
    return [
        free
        for free, core in zip(cores, host.siblings, strict=True)
        if len(free) == len(core) and taken.isdisjoint(free)
    ]
