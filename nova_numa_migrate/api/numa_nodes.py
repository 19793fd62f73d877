# SPDX-License-Identifier: Apache-2.0
"""``/os-numa-nodes``: the NUMA nodes of the compute hosts of all cells."""

from __future__ import annotations

from typing import Any

from nova import exception
from nova.api import validation
from nova.api.openstack import common
from nova.api.openstack import wsgi
import nova.conf
from webob import exc

from nova_numa_migrate.api import fleet
from nova_numa_migrate.api import policy
from nova_numa_migrate.api.schemas import numa_nodes as schema
from nova_numa_migrate.api.schemas import shapes
from nova_numa_migrate.api.views import numa_nodes as views
from nova_numa_migrate.policies import numa_nodes as rules

CONF = nova.conf.CONF

COLLECTION = 'os-numa-nodes'


@validation.validated
class NumaNodesController(wsgi.Controller):
    """Hosts, each with its nodes."""

    _view_builder_class = common.ViewBuilder

    @wsgi.expected_errors((400, 403))
    @validation.query_schema(schema.INDEX_QUERY)
    @validation.response_body_schema(schema.INDEX)
    def index(self, req: Any) -> dict[str, Any]:
        """A page of the hosts, in the order of their names."""
        context = req.environ['nova.context']
        policy.authorize(context, rules.LIST, {})
        limit, marker = common.get_limit_and_marker(req)
        try:
            found = fleet.page(
                context,
                name=req.GET.get('host'),
                limit=limit or CONF.api.max_limit,
                marker=marker,
            )
        except fleet.MarkerNotFound as error:
            raise exc.HTTPBadRequest(explanation=str(error)) from error
        shown = [views.host(host) for host in found]
        links = self._view_builder._get_collection_links(
            req, shown, COLLECTION, 'host'
        )
        return {
            'numa_hosts': shown,
            **({'numa_hosts_links': links} if links else {}),
        }

    @wsgi.expected_errors((400, 403, 404))
    @validation.query_schema(shapes.NO_QUERY)
    @validation.response_body_schema(schema.SHOW)
    def show(self, req: Any, host: str) -> dict[str, Any]:
        """One host."""
        context = req.environ['nova.context']
        policy.authorize(context, rules.SHOW, {})
        try:
            found = fleet.host(context, host)
        except exception.HostMappingNotFound as error:
            raise exc.HTTPNotFound(
                explanation=error.format_message()
            ) from error
        return {'numa_host': views.host(found)}
