# SPDX-License-Identifier: Apache-2.0
"""``server create`` with the hint: the first placement, and no later one.

Nova takes any hint and keeps it for good.  So the hint becomes the plan of
this very request, as a migrate's does, and stays without effect afterwards.
"""

from __future__ import annotations

from typing import Any

from nova import block_device
from nova.compute import api as compute_api
from nova.virt import hardware

from nova_numa_migrate.api import checks
from nova_numa_migrate.api import policy
from nova_numa_migrate.api import refusals
from nova_numa_migrate.hint import CHECKPOINT_HINT
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

        :raises webob.exc.HTTPBadRequest: when a hint is wrong, or not one
            for a guest of this flavor and image.
        :raises nova.exception.PolicyNotAuthorized: (HTTP 403).
        """
        hints = kw.get('scheduler_hints') or {}
        with refusals.as_http():
            if NODE_HINT in hints:
                plan = self._plan_of(context, flavor, image_href, kw)
                kw['scheduler_hints'] = plan.added_to(hints)
            if CHECKPOINT_HINT in hints:
                _check_mode(hints[CHECKPOINT_HINT])
        return super().create(context, flavor, image_href, *args, **kw)

    def _plan_of(
        self,
        context: Any,
        flavor: Any,
        image_href: Any,
        request: dict[str, Any],
    ) -> Plan:
        policy.authorize(
            context, rules.CREATE, {'project_id': context.project_id}
        )
        hint = request['scheduler_hints'][NODE_HINT]
        node_map = NodeMap.parse(_text(hint))
        image = self._image_of(context, image_href, request)
        _check_guest(flavor, image, node_map)
        # There is no state yet.
        return Plan(context.request_id, node_map, CheckpointMode.NEVER)

    def _image_of(
        self, context: Any, image_href: Any, request: dict[str, Any]
    ) -> dict[str, Any]:
        """What Nova will know of the image that the server boots from.

        A server without an image has that of its volume, or of what its
        volume is made of.
        """
        if image_href:
            _, image = self._get_image(context, image_href)
        else:
            image = block_device.get_bdm_image_metadata(
                context,
                self.image_api,
                self.volume_api,
                request.get('block_device_mapping') or [],
                request.get('legacy_bdm', True),
            )
        found: dict[str, Any] = image
        return found


def _check_guest(
    flavor: Any, image: dict[str, Any], node_map: NodeMap
) -> None:
    # Images and volumes have what their owners gave them; what is wrong with
    # that is told as Nova does.
    meta = compute_api._get_image_meta_obj(image)
    topology = hardware.numa_get_constraints(flavor, meta)
    checks.check_cells(topology, node_map)


def _check_mode(value: Any) -> None:
    """It changes nothing here, but is no place for other words."""
    if not isinstance(value, str):
        raise InvalidHint(f'Invalid {CHECKPOINT_HINT}: it is not a text')
    CheckpointMode.parse(value)


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
