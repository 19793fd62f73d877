# SPDX-License-Identifier: Apache-2.0
"""``server create`` with the hint: the first placement, and no later one.

Nova takes any hint and keeps it for good.  So the hint becomes the plan of
this very request, as a migrate's does, and stays without effect afterwards.
"""

from __future__ import annotations

from typing import Any

from nova import objects
from nova.compute import api as compute_api
from nova.virt import hardware

from nova_numa_migrate.api import checks
from nova_numa_migrate.api import policy
from nova_numa_migrate.api import refusals
from nova_numa_migrate.hint import CheckpointMode
from nova_numa_migrate.hint import InvalidHint
from nova_numa_migrate.hint import NODE_HINT
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.plan import Plan
from nova_numa_migrate.policies import migrate as rules


class PlacingComputeAPI(compute_api.API):
    """Nova's compute API; a server may be created on named nodes."""

    def create(
        self, context: Any, flavor: Any, image_href: Any, *args: Any, **kw: Any
    ) -> Any:
        """Create servers; with the hint, on the nodes.

        :raises webob.exc.HTTPBadRequest: when the hint is wrong, or not one
            for a guest of this flavor and image.
        :raises nova.exception.PolicyNotAuthorized: (HTTP 403).
        """
        hints = kw.get('scheduler_hints') or {}
        if NODE_HINT in hints:
            policy.authorize(
                context, rules.CREATE, {'project_id': context.project_id}
            )
            with refusals.as_http():
                node_map = NodeMap.parse(_text(hints[NODE_HINT]))
                self._check_guest(context, flavor, image_href, node_map)
            # There is no state yet.
            plan = Plan(context.request_id, node_map, CheckpointMode.NEVER)
            kw['scheduler_hints'] = plan.added_to(hints)
        return super().create(context, flavor, image_href, *args, **kw)

    def _check_guest(
        self, context: Any, flavor: Any, image_href: Any, node_map: NodeMap
    ) -> None:
        _, image = self._get_image(context, image_href)
        topology = hardware.numa_get_constraints(
            flavor, objects.ImageMeta.from_dict(image or {})
        )
        checks.check_cells(topology, node_map)


def _text(value: Any) -> str | list[str]:
    """The hint as a text or texts; Nova's schema lets anything pass."""
    if isinstance(value, str):
        return value
    if (
        isinstance(value, list)
        and value
        and all(isinstance(one, str) for one in value)
    ):
        return value
    raise InvalidHint(f'Invalid {NODE_HINT}: it is not a text or texts')
