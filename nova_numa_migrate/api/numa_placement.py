# SPDX-License-Identifier: Apache-2.0
"""``/servers/{id}/os-numa-placement``: the host nodes of one server."""

from __future__ import annotations

import functools
from typing import Any

from nova.api import validation
from nova.api.openstack import common
from nova.api.openstack import wsgi
from nova.compute import api as compute_api

from nova_numa_migrate import rpc
from nova_numa_migrate.api import measurement
from nova_numa_migrate.api import policy
from nova_numa_migrate.api.schemas import numa_placement as schema
from nova_numa_migrate.api.schemas import shapes
from nova_numa_migrate.api.views import numa_placement as views
from nova_numa_migrate.policies import numa_placement as rules

PATH = '/servers/{server_id}/os-numa-placement'

_ATTRIBUTES = ('flavor', 'numa_topology', 'system_metadata')


@validation.validated
class NumaPlacementController(wsgi.Controller):
    """A server's cells, each with its nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.compute_api = compute_api.API()

    @functools.cached_property
    def hosts(self) -> rpc.NumaComputeAPI:
        """The hosts that run the plugin."""
        return rpc.NumaComputeAPI()

    @wsgi.expected_errors((400, 403, 404))
    @validation.query_schema(shapes.NO_QUERY)
    @validation.response_body_schema(schema.SHOW)
    def show(self, req: Any, server_id: str) -> dict[str, Any]:
        """What was asked, what was claimed, and what is."""
        context = req.environ['nova.context']
        instance = common.get_instance(
            self.compute_api, context, server_id, expected_attrs=[*_ATTRIBUTES]
        )
        target = {'project_id': instance.project_id}
        policy.authorize(context, rules.SHOW, target)
        found = measurement.of(context, instance, self.hosts)
        return {'numa_placement': views.placement(instance, found)}
