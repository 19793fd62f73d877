# SPDX-License-Identifier: Apache-2.0
"""The resource tracker that knows which moves name their nodes."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
from typing import Any

from nova.compute import resource_tracker

from nova_numa_migrate.hint import NodeMap


class NumaResourceTracker(resource_tracker.ResourceTracker):
    """Nova's tracker; its move claims ask it for the named nodes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._node_maps: dict[str, NodeMap] = {}

    @contextlib.contextmanager
    def claiming(self, instance: str, node_map: NodeMap) -> Iterator[None]:
        """While in it, the instance's claim is one of the named nodes."""
        self._node_maps[instance] = node_map
        try:
            yield
        finally:
            del self._node_maps[instance]

    def node_map_of(self, instance: str) -> NodeMap | None:
        """The nodes that the move of the instance names, if it names any."""
        return self._node_maps.get(instance)
