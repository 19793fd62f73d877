# SPDX-License-Identifier: Apache-2.0
"""What a host's resource provider says of its nodes, in Placement's words.

Placement knows nothing of NUMA nodes, but any provider may have custom
traits; so it can drop a host without the named nodes before any filter looks
at it.  Pure: a trait is a text.
"""

from __future__ import annotations

from collections.abc import Iterable
import re

from nova_numa_migrate.hint import NodeMap

#: A host that runs nova-numa-compute.
CHECKPOINT = 'CUSTOM_NUMA_CHECKPOINT'

_NODE = 'CUSTOM_NUMA_NODE_%d'
_OURS = re.compile(rf'{CHECKPOINT}|CUSTOM_NUMA_NODE_[0-9]+')


def of_host(nodes: Iterable[int]) -> set[str]:
    """All of our traits that a host with these nodes has."""
    return {CHECKPOINT, *(_NODE % node for node in nodes)}


def asked_by(node_map: NodeMap) -> set[str]:
    """What a host must have to be worth a look for that map."""
    return of_host(node_map.nodes)


def ours(traits: Iterable[str]) -> set[str]:
    """Those among a provider's traits that are of this kind."""
    return {trait for trait in traits if _OURS.fullmatch(trait)}
