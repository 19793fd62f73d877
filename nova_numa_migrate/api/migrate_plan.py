# SPDX-License-Identifier: Apache-2.0
"""The dry run of a hinted migrate: ``os-numaMigratePlan``.

What the migrate action refuses at once is refused here with the same words;
then every host is considered.  Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nova import exception
from nova import objects
from nova.api import validation
from nova.api.openstack import common
from nova.api.openstack import wsgi
from nova.compute import api as compute_api
import nova.conf
from nova.virt import hardware
from webob import exc

from nova_numa_migrate.api import checks
from nova_numa_migrate.api import migrate_server
from nova_numa_migrate.api import outlook
from nova_numa_migrate.api import policy
from nova_numa_migrate.api import refusals
from nova_numa_migrate.api.schemas import migrate_plan as schema
from nova_numa_migrate.api.schemas import migrate_server as migrate_schema
from nova_numa_migrate.api.views import migrate_plan as views
from nova_numa_migrate.hint import NODE_HINT
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.policies import migrate as rules

CONF = nova.conf.CONF

_ATTRIBUTES = (
    'flavor',
    'info_cache',
    'numa_topology',
    'pci_requests',
    'services',
    'system_metadata',
)


@validation.validated
class NumaMigratePlanController(wsgi.Controller):
    """Adds the action to the servers."""

    def __init__(self) -> None:
        super().__init__()
        self.compute_api = compute_api.API()

    @wsgi.response(200)
    @wsgi.expected_errors((400, 403, 404, 409, 503))
    @wsgi.action(schema.ACTION)
    @validation.schema(schema.PLAN)
    @validation.response_body_schema(schema.ANSWER)
    def _plan(self, req: Any, id: str, body: Any) -> dict[str, Any]:
        """Say of every host whether the server could be moved there."""
        context = req.environ['nova.context']
        instance = common.get_instance(
            self.compute_api, context, id, expected_attrs=[*_ATTRIBUTES]
        )
        target = {'project_id': instance.project_id}
        policy.authorize(context, rules.PLAN, target)
        request = body[schema.ACTION]
        hints = request.get(migrate_schema.HINTS, {})
        with refusals.as_http():
            node_map = _node_map(hints)
            mode = migrate_server.checkpoint_mode(hints)
            checks.migrate(self.compute_api, context, instance)
            if node_map is not None:
                checks.check_cells(instance.numa_topology, node_map)
                checks.check_moves(instance, node_map, request.get('host'))
            checks.check_state(context, instance, mode)
        found = _outlook(context, instance, node_map, request.get('host'))
        shown = views.plan(instance, node_map, mode, found, CONF.api.max_limit)
        return {'numa_migrate_plan': shown}


def _node_map(hints: dict[str, Any]) -> NodeMap | None:
    return NodeMap.parse(hints[NODE_HINT]) if NODE_HINT in hints else None


def _outlook(
    context: Any, instance: Any, node_map: NodeMap | None, host: str | None
) -> Sequence[outlook.Outlook]:
    try:
        with refusals.as_http():
            return outlook.of_hosts(
                context, instance, _spec(context, instance), node_map, host
            )
    except exception.ComputeHostNotFound as error:
        raise exc.HTTPBadRequest(explanation=error.format_message()) from error


def _spec(context: Any, instance: Any) -> Any:
    """The request spec that a migration would be scheduled with.

    It asks for PCI devices as it is stored; the instance has which of its
    present host's it was given.
    """
    spec = objects.RequestSpec.get_by_instance_uuid(context, instance.uuid)
    spec.numa_topology = hardware.numa_get_constraints(
        instance.flavor, instance.image_meta
    )
    spec.ensure_network_information(instance)
    return spec
