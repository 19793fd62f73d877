# SPDX-License-Identifier: Apache-2.0
"""The paste app factory: our migrate action in Nova's place, and our routes.

In api-paste.ini::

    [app:osapi_compute_app_v21]
    paste.app_factory = nova_numa_migrate.api.router:NumaAPIRouter.factory
"""

from __future__ import annotations

import functools
from typing import Any

from nova.api.openstack import wsgi
from nova.api.openstack.compute import routes
import nova.conf

from nova_numa_migrate.api import create_server
from nova_numa_migrate.api import migrate_plan
from nova_numa_migrate.api import migrate_server
from nova_numa_migrate.api import numa_nodes
from nova_numa_migrate.api import numa_placement
from nova_numa_migrate.api import privacy
from nova_numa_migrate.conf import numa_migrate

_ACTION = 'migrate'


def _resource(controller: Any) -> Any:
    return functools.partial(_made, controller)


def _made(controller: Any) -> Any:
    return wsgi.Resource(controller())


_NODES = _resource(numa_nodes.NumaNodesController)
_PLACEMENT = _resource(numa_placement.NumaPlacementController)

#: In the form of Nova's own routes.
_ROUTES = (
    (f'/{numa_nodes.COLLECTION}', {'GET': [_NODES, 'index']}),
    (f'/{numa_nodes.COLLECTION}/{{host}}', {'GET': [_NODES, 'show']}),
    (numa_placement.PATH, {'GET': [_PLACEMENT, 'show']}),
)


class NumaAPIRouter(routes.APIRouterV21):
    """Nova's router; its servers resource has our migrate action."""

    def __init__(self) -> None:
        numa_migrate.register_opts(nova.conf.CONF)
        super().__init__(_ROUTES)
        controllers = (
            migrate_server.NumaMigrateServerController(),
            migrate_plan.NumaMigratePlanController(),
        )
        for resource in self._resources_with(_ACTION):
            resource.controller.compute_api = create_server.PlacingComputeAPI()
            privacy.install(resource.controller)
            for controller in controllers:
                resource.register_subcontroller_actions(controller)

    def _resources_with(self, action: str) -> list[Any]:
        """The resources that have the action.

        Custom routes cannot override one (the first match wins), so the
        action is replaced on the resources that serve it.

        :raises RuntimeError: when this Nova serves the action elsewhere; a
            hint must not be ignored in silence.
        """
        controllers = (
            r.defaults.get('controller') for r in self.map.matchlist
        )
        found = {
            id(c): c
            for c in controllers
            if isinstance(c, wsgi.Resource) and action in c.wsgi_actions
        }
        if not found:
            raise RuntimeError(
                f'This release of Nova has no resource with the action '
                f'"{action}" in its routes: nova-numa-migrate cannot extend it'
            )
        return list(found.values())
