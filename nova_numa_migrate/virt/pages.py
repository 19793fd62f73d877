# SPDX-License-Identifier: Apache-2.0
"""Where a running guest's pages are, asked of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oslo_log import log as logging

from nova_numa_migrate import privsep
from nova_numa_migrate.placement import numa_maps
from nova_numa_migrate.placement.report import CellPlacement

LOG = logging.getLogger(__name__)

_MIB = 1024 * 1024


def measure(instance: Any, nodes: Sequence[int]) -> list[CellPlacement]:
    """The placement of each guest cell whose memory was found.

    :param instance: objects.Instance, running on this host.
    :param nodes: where its cells are meant to be, by their order; of a bare
        guest all the nodes that it is bound to, of which each gets the same
        pages to be held against.
    :raises OSError: when the guest does not run any more.
    """
    maps, numa, command = privsep.read_guest_process(instance.name)
    topology = instance.numa_topology
    sizes = (
        [cell.memory * _MIB for cell in topology.cells]
        if topology
        else [instance.flavor.memory_mb * _MIB]
    )
    found = numa_maps.guest_ram(
        numa_maps.areas(maps, numa), sizes, numa_maps.bindings(command)
    )
    missing = [cell for cell, area in enumerate(found) if area is None]
    if missing:
        LOG.warning(
            'The memory of guest cells %s was not found in the maps of the '
            'QEMU process, so that its placement is not known',
            missing,
            instance=instance,
        )
    if not topology:
        found *= len(nodes)
    return [
        CellPlacement(cell, nodes[cell], area.pages)
        for cell, area in enumerate(found)
        if area is not None
    ]


def log(instance: Any, placement: list[CellPlacement]) -> None:
    """Tell where the pages are; a page elsewhere is worth a warning."""
    for cell in placement:
        meant = {cell.node}
        if not instance.numa_topology:
            meant = {share.node for share in placement}
        stray = cell.pages.keys() - meant
        level = logging.WARNING if stray else logging.INFO
        LOG.log(level, 'Guest memory: %s', cell, instance=instance)
