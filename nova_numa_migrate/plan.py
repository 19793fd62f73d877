# SPDX-License-Identifier: Apache-2.0
"""The plan: what one migrate request asks for, and how it travels.

A plan rides on the RequestSpec's scheduler hints, the only free-form field of
it that reaches the scheduler and every compute service unchanged.  Nova
stores those hints with the server, so a plan carries the id of the request
that made it: only that request honours it.  A later move has another id, and
a tenant cannot choose the id of a request.  Pure: no Nova import.
"""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
from typing import Any, Self

from nova_numa_migrate.hint import CheckpointMode
from nova_numa_migrate.hint import NodeMap

#: The key in RequestSpec.scheduler_hints; its value is a list of strings.
PLAN_KEY = 'numa_migrate:plan'

Hints = Mapping[str, list[str]]


@dataclasses.dataclass(frozen=True)
class Plan:
    """The node map of one request and what to do without a checkpoint."""

    request_id: str
    node_map: NodeMap
    checkpoint: CheckpointMode

    def added_to(self, hints: Hints | None) -> dict[str, list[str]]:
        """A copy of the hints that carries this plan, and no other."""
        return {
            **(hints or {}),
            PLAN_KEY: [self.request_id, str(self.node_map), self.checkpoint],
        }

    @classmethod
    def of(cls, hints: Hints | None, request_id: str | None) -> Self | None:
        """The plan of the request with that id, or None.

        Whatever else stands under the key (an earlier request's plan, or a
        tenant's text from the server's creation) is not a plan.

        :raises InvalidHint: when this very request's plan cannot be read:
            it must not become a migration to any node in silence.
        """
        match (hints or {}).get(PLAN_KEY):
            case [str(made_by), str(nodes), str(mode)]:
                if made_by != request_id:
                    return None
            case _:
                return None
        return cls(made_by, NodeMap.parse(nodes), CheckpointMode.parse(mode))

    @classmethod
    def of_spec(cls, spec: Any, request_id: str | None) -> Self | None:
        """The plan that a request spec carries for that request, or None.

        :param spec: objects.RequestSpec, whose hints may not be set, or None.
        :raises InvalidHint: as ``of``.
        """
        hints = spec is not None and 'scheduler_hints' in spec
        return cls.of(spec.scheduler_hints if hints else None, request_id)


def without_plan(hints: Hints | None) -> dict[str, list[str]]:
    """A copy of the hints that carries no plan."""
    return {k: v for k, v in (hints or {}).items() if k != PLAN_KEY}
