# SPDX-License-Identifier: Apache-2.0
"""What ties the nodes of a guest together (pure).

A node is fit for a guest cell or not, whatever the other cells do.  Networks
and PCI devices look at all nodes of the guest: somewhere among them must be
those that they are tied to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Protocol

from nova_numa_migrate.placement.cells import Guest
from nova_numa_migrate.placement.cells import HostCell
from nova_numa_migrate.placement.reasons import NoAffinity
from nova_numa_migrate.placement.reasons import NoDevices


class Affinity(Protocol):
    """A condition on the nodes of a guest."""

    @property
    def what(self) -> str:
        """What asks it, for people."""

    @property
    def nodes(self) -> Set[int]:
        """The only nodes that matter to it."""

    def refusal(self, chosen: Set[int]) -> NoAffinity | NoDevices | None:
        """Why those of its nodes do not do, None when they do.

        :param chosen: the guest's nodes, or those of them that matter.
        """


class NetworkAffinity:
    """A network with an interface on some nodes: one must be the guest's.

    As in Nova (_numa_cells_support_network_metadata in nova/virt/hardware.py)
    a network without an interface on any node asks nothing.
    """

    def __init__(self, what: str, nodes: Set[int]) -> None:
        self.what = what
        self.nodes = nodes

    def refusal(self, chosen: Set[int]) -> NoAffinity | None:
        """The network and its nodes when the guest is on none of them."""
        if self.nodes & chosen:
            return None
        return NoAffinity(self.what, tuple(sorted(self.nodes)))


def networks(
    cells: Sequence[HostCell], guest: Guest
) -> Iterator[NetworkAffinity]:
    """The guest's networks that are tied to nodes of the host."""
    for name in sorted(guest.physnets):
        nodes = frozenset(c.node for c in cells if name in c.physnets)
        if nodes:
            yield NetworkAffinity(f'physical network {name}', nodes)
    if not guest.tunneled:
        return
    nodes = frozenset(c.node for c in cells if c.tunneled)
    if nodes:
        yield NetworkAffinity('tunnelled network', nodes)


def refusals(
    ties: Sequence[Affinity], chosen: Set[int]
) -> list[NoAffinity | NoDevices]:
    """What the chosen nodes do not meet."""
    found = (tie.refusal(chosen) for tie in ties)
    return [refusal for refusal in found if refusal is not None]
