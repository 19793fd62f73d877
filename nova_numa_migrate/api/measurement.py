# SPDX-License-Identifier: Apache-2.0
"""Where a server's pages are, as far as it is known."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from typing import Any

from nova_numa_migrate.placement.report import CellPlacement


@dataclasses.dataclass(frozen=True)
class Measurement:
    """The pages of the guest cells that were found.

    ``when`` is ``after_move``, or None when nothing is known and ``error``
    says why.
    """

    when: str | None
    cells: Sequence[CellPlacement] = ()
    error: str | None = None


def of(instance: Any) -> Measurement:
    """What was measured of a server.

    :param instance: objects.Instance with its NUMA topology and metadata.
    """
    if instance.numa_topology is None:
        return Measurement(None, error='it has no virtual NUMA topology')
    stored = (
        CellPlacement.of(instance.system_metadata, number)
        for number in range(len(instance.numa_topology.cells))
    )
    cells = [cell for cell in stored if cell is not None]
    if cells:
        return Measurement('after_move', cells)
    return Measurement(
        None,
        error='it is measured after a move and until the move is confirmed',
    )
