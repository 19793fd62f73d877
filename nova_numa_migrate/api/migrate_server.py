# SPDX-License-Identifier: Apache-2.0
"""The migrate action with hints.

A request without hints goes to Nova's own method as it came.  One with hints
is checked here first; then its hints are taken out of the body, its plan is
handed over, and Nova's own method has it: stock schema, policies, errors and
states stay in force for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nova.api import validation
from nova.api.openstack import api_version_request
from nova.api.openstack import common
from nova.api.openstack import wsgi
from nova.api.openstack.compute import migrate_server
import nova.conf
from webob import exc

from nova_numa_migrate.api import checks
from nova_numa_migrate.api import compute_api
from nova_numa_migrate.api import policy
from nova_numa_migrate.api import refusals
from nova_numa_migrate.api.schemas import migrate_server as schema
from nova_numa_migrate.hint import CHECKPOINT_HINT
from nova_numa_migrate.hint import CheckpointMode
from nova_numa_migrate.hint import NODE_HINT
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.plan import Plan
from nova_numa_migrate.policies import migrate as rules

CONF = nova.conf.CONF

_ATTRIBUTES = (
    'flavor',
    'numa_topology',
    'pci_requests',
    'services',
    'system_metadata',
)
_MIN_VERSION = '2.56'


@validation.validated
class NumaMigrateServerController(migrate_server.MigrateServerController):
    """Nova's controller of the migrate actions; ``migrate`` takes hints."""

    def __init__(self) -> None:
        super().__init__()
        self.compute_api = compute_api.PlannedComputeAPI()

    # Not decorated with expected_errors: it must not be applied twice to
    # Nova's own method, where it would hide the name of an unexpected error.
    @wsgi.response(202)
    @wsgi.action('migrate')
    def _migrate(self, req: Any, id: str, body: Any) -> Any:
        """Migrate a server, to the named NUMA nodes if any are named."""
        if not _has_hints(body):
            return super()._migrate(req, id, body=body)
        self._plan(req, id, body=body)
        stock = {k: v for k, v in body['migrate'].items() if k != schema.HINTS}
        return super()._migrate(req, id, body={'migrate': stock})

    @wsgi.expected_errors((400, 403, 404, 409))
    @validation.schema(schema.MIGRATE)
    def _plan(self, req: Any, server: str, body: Any) -> None:
        """Check a hinted request and hand its plan over."""
        _check_version(req)
        context = req.environ['nova.context']
        instance = common.get_instance(
            self.compute_api, context, server, expected_attrs=[*_ATTRIBUTES]
        )
        target = {'project_id': instance.project_id}
        policy.authorize(context, rules.MIGRATE, target)
        request = body['migrate']
        with refusals.as_http():
            plan = _plan_of(context, request[schema.HINTS])
            checks.migrate(self.compute_api, context, instance)
            _check(context, instance, plan, request.get('host'))
        compute_api.hand_over(context, plan)


def _has_hints(body: Any) -> bool:
    # What is not of the action's form at all is for Nova's schema to refuse.
    request = body.get('migrate') if isinstance(body, dict) else None
    return isinstance(request, dict) and schema.HINTS in request


def _check_version(req: Any) -> None:
    """Below this version Nova reads no body, so it would lose the hint."""
    if not api_version_request.is_supported(req, _MIN_VERSION):
        raise exc.HTTPBadRequest(
            explanation=(
                f'"{schema.HINTS}" in a migrate request needs microversion '
                f'{_MIN_VERSION} or later'
            )
        )


def checkpoint_mode(hints: Mapping[str, str]) -> CheckpointMode:
    """The mode that a request's hints ask for, or the operator's."""
    return CheckpointMode.parse(
        hints.get(CHECKPOINT_HINT, CONF.numa_migrate.checkpoint)
    )


def _plan_of(context: Any, hints: dict[str, Any]) -> Plan:
    return Plan(
        context.request_id,
        NodeMap.parse(hints[NODE_HINT]),
        checkpoint_mode(hints),
    )


def _check(context: Any, instance: Any, plan: Plan, host: str | None) -> None:
    checks.check_cells(instance.numa_topology, plan.node_map)
    checks.check_nodes(context, instance, plan.node_map, host)
    checks.check_moves(instance, plan.node_map, host)
    checks.check_state(context, instance, plan.checkpoint)
