# SPDX-License-Identifier: Apache-2.0
"""The claim of exactly the named cells.

Nova's claims ask for any cells that fit.  For an instance whose move or whose
creation names its nodes these ask for those, in their order, under the same
lock and with the same accounting.
"""

from __future__ import annotations

from typing import Any

from nova import objects
from nova.compute import claims

from nova_numa_migrate import fit
from nova_numa_migrate.checkpoint.demand import told
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.placement.reasons import Refused

# Whichever of Nova's claims it is mixed into.
_AnyClaim: Any = object


class _NamedCells(_AnyClaim):
    """Makes a claim of Nova's one of the cells that the tracker knows of."""

    def _test_numa_topology(self, compute_node: Any, limit: Any) -> str | None:
        """Claim the named cells; None on success, else the reason."""
        node_map = self.tracker.node_map_of(self.instance.uuid)
        if node_map is None:
            reason: str | None = super()._test_numa_topology(
                compute_node, limit
            )
            return reason
        return self._claim_nodes(compute_node, limit, node_map)

    def _claim_nodes(
        self, compute_node: Any, limit: Any, node_map: NodeMap
    ) -> str | None:
        host = objects.NUMATopology.obj_from_db_obj(compute_node.numa_topology)
        topology = self.numa_topology
        guest = fit.requested(topology, self.instance.flavor, node_map)
        decision = fit.decide(
            host,
            guest,
            node_map,
            limit,
            # After the scheduler: the requests carry their own mapping.
            fit.PciDevices.of(
                self._pci_requests, self.tracker.pci_tracker.stats, None
            ),
        )
        if isinstance(decision, Refused):
            return (
                f'The guest does not fit NUMA nodes {node_map}: '
                f'{decision.of(self.tracker.host, self.instance.host)}'
            )
        placed = fit.claimed(guest, decision)
        if topology is not None:
            self.claimed_numa_topology = placed
        # Beside Nova's books: the kernel knows what else is on a node.
        short = self.tracker.expect(self.instance.uuid, placed.cells)
        return told(self.tracker.host, short) if short else None


class NumaClaim(_NamedCells, claims.Claim):
    """Nova's claim of an instance that is created."""


class NumaMoveClaim(_NamedCells, claims.MoveClaim):
    """Nova's claim of an instance that moves."""
