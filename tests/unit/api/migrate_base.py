# SPDX-License-Identifier: Apache-2.0
"""The migrate action up to where Nova's own method has it, for its tests."""

import datetime
from unittest import mock

import fixtures
from nova import exception
from nova import objects
from nova import servicegroup
from nova.api.openstack import common
from nova.compute import api as novas_compute_api
from nova.compute import vm_states
import nova.conf
from nova.tests.unit.api.openstack import fakes
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate.api import compute_api
from nova_numa_migrate.api import migrate_server
from nova_numa_migrate.conf import numa_migrate
from tests.unit import patching
from tests.unit import topologies

CONF = nova.conf.CONF
PLUGIN = {'numa_migrate': '1'}


def node(host, topology=None, stats=PLUGIN):
    return objects.ComputeNode(
        host=host,
        numa_topology=(topology or topologies.host())._to_json(),
        stats=stats,
    )


class MigrateTestCase(patching.PatchingTestCase):
    def setUp(self):
        super().setUp()
        numa_migrate.register_opts(CONF)
        self.stock = mock.Mock(return_value='stock')
        self.useFixture(
            fixtures.MonkeyPatch(
                'nova.api.openstack.compute.migrate_server.'
                'MigrateServerController._migrate',
                lambda _, req, id, body: self.stock(req, id, body),
            )
        )
        self.controller = migrate_server.NumaMigrateServerController()
        self.instance = objects.Instance(
            uuid=uuids.server,
            project_id='project',
            host='compute1',
            node='compute1',
            vm_state=vm_states.ACTIVE,
            task_state=None,
            locked=False,
            launched_at=datetime.datetime.now(datetime.UTC),
            services=objects.ServiceList(
                objects=[objects.Service(binary='nova-compute')]
            ),
            numa_topology=topologies.guest(2),
            flavor=objects.Flavor(extra_specs={}, vcpus=4),
            pci_requests=objects.InstancePCIRequests(requests=[]),
            image_ref=uuids.image,
            system_metadata={},
        )
        self.get = self.patch(
            common, 'get_instance', return_value=self.instance
        )
        self.nodes = [node('compute1'), node('compute2')]
        self.patch(
            objects.ComputeNodeList,
            'get_all',
            side_effect=lambda _: self.nodes,
        )
        self.patch(
            objects.ComputeNodeList, 'get_all_by_host', side_effect=self.named
        )
        self.patch(
            objects.ComputeNode,
            'get_by_host_and_nodename',
            side_effect=lambda _, host, __: self.named(_, host)[0],
        )
        self.shared = self.patch(
            novas_compute_api, 'instance_has_share', return_value=False
        )
        self.up = self.patch(
            servicegroup.API, 'service_is_up', return_value=True
        )
        self.request = self.a_request()

    def named(self, _, host, *__):
        found = [n for n in self.nodes if n.host == host]
        if not found:
            raise exception.ComputeHostNotFound(host=host)
        return found

    def a_request(self, version='2.56', admin=True):
        return fakes.HTTPRequest.blank(
            '', use_admin_context=admin, version=version
        )

    def migrate(self, hints=None, request=None, **fields):
        hints = {'numa_node': '3,2'} if hints is None else hints
        body = {'migrate': {'os:scheduler_hints': hints, **fields}}
        return self.controller._migrate(
            request or self.request, uuids.server, body=body
        )

    def refused(self, error, *args, **kwargs):
        raised = self.assertRaises(error, self.migrate, *args, **kwargs)
        self.stock.assert_not_called()
        self.assertIsNone(self.plan())
        return getattr(raised, 'explanation', str(raised))

    def plan(self):
        """The plan that the request's context carries."""
        context = self.request.environ['nova.context']
        return getattr(context, compute_api._ATTRIBUTE, None)
