# SPDX-License-Identifier: Apache-2.0
"""How far a host's nodes are from one another.

Nova's report of a host does not say, so our driver puts what the kernel says
beside it, into the stats of its compute node.  Pure: only sysfs is read.
"""

from __future__ import annotations

from collections.abc import Mapping
import json

from nova_numa_migrate.placement import room

#: The key in ComputeNode.stats.
STATS_KEY = 'numa_migrate_distances'


def read() -> str:
    """This host's distances, as its stats carry them.

    The kernel lists a node's distances to the nodes that are online, in the
    order of their ids (Documentation/ABI/stable/sysfs-devices-node); 10 is
    the node itself.
    """
    rows = {
        int(file.parent.name.removeprefix('node')): file.read_text().split()
        for file in room.ROOT.glob('node*/distance')
    }
    nodes = sorted(rows)
    return json.dumps(
        {
            node: dict(zip(nodes, map(int, rows[node]), strict=True))
            for node in nodes
        },
        separators=(',', ':'),
    )


def of(stats: Mapping[str, str | None] | None) -> dict[int, dict[int, int]]:
    """Node -> node -> distance; empty where the host has not said."""
    stored = json.loads((stats or {}).get(STATS_KEY) or '{}')
    return {
        int(node): {int(other): far for other, far in row.items()}
        for node, row in stored.items()
    }
