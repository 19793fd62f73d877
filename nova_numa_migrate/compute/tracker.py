# SPDX-License-Identifier: Apache-2.0
"""The resource tracker that knows which moves name their nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import contextlib
from typing import Any

from nova.compute import resource_tracker

from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.placement.room import Need


class NumaResourceTracker(resource_tracker.ResourceTracker):
    """Nova's tracker; its move claims ask it for the named nodes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._node_maps: dict[str, NodeMap] = {}
        self._expected: dict[str, Sequence[Need]] = {}

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

    def expect(self, instance: str, needs: Sequence[Need]) -> None:
        """The instance has claimed this memory and will take it later."""
        self._expected[instance] = needs

    def arrived(self, instance: str) -> None:
        """The instance has taken its memory, or never will."""
        self._expected.pop(instance, None)

    def promised(self, but: str) -> list[Need]:
        """The memory that other guests on their way here will take.

        To be called under Nova's resource lock.  Nobody tells of a move that
        its source gave up; Nova's audit drops its migration.
        """
        self._expected = {
            instance: needs
            for instance, needs in self._expected.items()
            if instance in self.tracked_migrations
        }
        return [
            need
            for instance, needs in self._expected.items()
            for need in needs
            if instance != but
        ]
