# SPDX-License-Identifier: Apache-2.0
"""The migrate action with hints, up to where Nova's own method has it."""

from unittest import mock

import ddt
import fixtures
from nova import exception
from nova import objects
from nova import test
from nova.api.openstack import common
from nova.api.openstack.compute import migrate_server as novas
from nova.compute import api as novas_compute_api
from nova.compute import vm_states
from nova.conductor import api as conductor_api
import nova.conf
from nova.tests.unit.api.openstack import fakes
from oslo_utils.fixture import uuidsentinel as uuids
from webob import exc

from nova_numa_migrate import binding
from nova_numa_migrate import hint
from nova_numa_migrate import plan
from nova_numa_migrate.api import compute_api
from nova_numa_migrate.api import migrate_server
from nova_numa_migrate.conf import numa_migrate
from tests.unit import topologies

CONF = nova.conf.CONF
PLUGIN = {'numa_migrate': '1'}


def node(host, topology=None, stats=PLUGIN):
    return objects.ComputeNode(
        host=host,
        numa_topology=(topology or topologies.host())._to_json(),
        stats=stats,
    )


class MigrateTestCase(test.NoDBTestCase):
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
        self.request = self.a_request()

    def named(self, _, host, *__):
        found = [n for n in self.nodes if n.host == host]
        if not found:
            raise exception.ComputeHostNotFound(host=host)
        return found

    def patch(self, where, name, **kwargs):
        patcher = mock.patch.object(where, name, autospec=True, **kwargs)
        self.addCleanup(patcher.stop)
        return patcher.start()

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


@ddt.ddt
class AcceptedTestCase(MigrateTestCase):
    @ddt.data('1', '3,2', '3,2,1,0')
    def test_a_bare_guest_to_as_many_nodes_as_are_named(self, text):
        self.instance.numa_topology = None
        self.migrate({'numa_node': text})
        self.assertEqual(text, str(self.plan().node_map))

    def test_the_plan_is_handed_over_and_the_hints_are_taken_out(self):
        self.assertEqual('stock', self.migrate(host='compute2'))
        self.stock.assert_called_once_with(
            self.request, uuids.server, {'migrate': {'host': 'compute2'}}
        )
        self.assertEqual(
            plan.Plan(
                self.request.environ['nova.context'].request_id,
                hint.NodeMap((3, 2)),
                hint.CheckpointMode.REQUIRED,
            ),
            self.plan(),
        )

    @ddt.data('3,2', ['3', '2'], '1:2,0:3', ['1:2', '0:3'])
    def test_every_form(self, text):
        self.migrate({'numa_node': text})
        self.assertEqual((3, 2), self.plan().node_map.nodes)

    def test_the_mode_is_the_requests_or_the_configured_one(self):
        self.flags(checkpoint='preferred', group='numa_migrate')
        self.migrate()
        self.assertEqual('preferred', self.plan().checkpoint)
        self.migrate({'numa_node': '3,2', 'numa_checkpoint': 'never'})
        self.assertEqual('never', self.plan().checkpoint)

    @ddt.data(
        {'migrate': None},
        {'migrate': {}},
        {'migrate': {'host': 'compute2'}},
        {'migrate': 'text'},
        {'migrate': ['os:scheduler_hints']},
        {},
        None,
        [],
    )
    def test_without_hints_nova_has_the_body_as_it_came(self, body):
        request = self.a_request('2.1')
        self.controller._migrate(request, uuids.server, body=body)
        self.stock.assert_called_once_with(request, uuids.server, body)
        self.get.assert_not_called()

    def test_other_nodes_of_the_present_host(self):
        self.nodes = [node('compute1')]
        self.migrate(host='compute1')
        self.stock.assert_called_once()

    def test_the_same_nodes_of_another_host(self):
        self.migrate({'numa_node': '0,1'}, host='compute2')
        self.migrate({'numa_node': '0,1'})
        self.assertEqual(2, self.stock.call_count)

    def test_a_server_on_no_host_is_novas_to_refuse(self):
        self.instance.host = None
        self.instance.vm_state = vm_states.SHELVED_OFFLOADED
        self.migrate({'numa_node': '0,1'})
        self.stock.assert_called_once()

    def test_a_stopped_guest_has_no_state_that_a_blocker_could_hold(self):
        self.instance.vm_state = vm_states.STOPPED
        self.shared.return_value = True
        self.migrate()
        self.stock.assert_called_once()


@ddt.ddt
class RefusedTestCase(MigrateTestCase):
    @ddt.data('2.1', '2.55')
    def test_a_microversion_that_would_lose_the_hint(self, version):
        text = self.refused(
            exc.HTTPBadRequest, request=self.a_request(version)
        )
        self.assertIn('needs microversion 2.56 or later', text)

    @ddt.data(
        {},
        {'numa_checkpoint': 'never'},
        {'numa_node': 1},
        {'numa_node': None},
        {'numa_node': []},
        {'numa_node': [1]},
        {'numa_node': '1,2', 'group': 'x'},
        {'numa_node': '1,2', 'numa_checkpoint': ['never']},
        {'numa_node': 'x' * 16385},
        'numa_node=1',
        [],
    )
    def test_what_is_not_of_the_form(self, hints):
        self.refused(exception.ValidationError, hints)

    def test_more_than_the_two_fields(self):
        self.refused(exception.ValidationError, force=True)

    @ddt.data(
        ({'numa_node': 'x'}, '"x" is not a node'),
        ({'numa_node': '3,3'}, 'host node 3 is named for two'),
        ({'numa_node': '3'}, 'it names 1 host node(s), but the guest has 2'),
        (
            {'numa_node': '3,2', 'numa_checkpoint': 'maybe'},
            'Invalid numa_checkpoint "maybe"',
        ),
        (
            {'numa_node': '3,7'},
            'host compute2 has no NUMA node 7 (it has 0-3)',
        ),
    )
    @ddt.unpack
    def test_a_hint_that_cannot_be_met(self, hints, text):
        self.assertIn(text, self.refused(exc.HTTPBadRequest, hints))

    def test_the_own_hosts_nodes_do_not_count(self):
        self.nodes[1] = node(
            'compute2', topologies.host(topologies.host_cell(0))
        )
        text = self.refused(exc.HTTPBadRequest)
        self.assertIn('host compute2 has no NUMA node 2-3 (it has 0)', text)
        self.assertNotIn('compute1', text)

    def test_the_nodes_where_it_is(self):
        text = self.refused(
            exc.HTTPBadRequest, {'numa_node': '0,1'}, host='compute1'
        )
        self.assertIn(
            f'Server {uuids.server} is on host compute1, NUMA node(s) 0,1, '
            'already',
            text,
        )

    def test_nodes_that_the_present_host_does_not_have(self):
        text = self.refused(
            exc.HTTPBadRequest, {'numa_node': '0,7'}, host='compute1'
        )
        self.assertIn('host compute1 has no NUMA node 7', text)

    def test_a_present_host_without_the_plugin(self):
        self.nodes[0] = node('compute1', stats={})
        text = self.refused(exc.HTTPBadRequest, host='compute1')
        self.assertIn('host compute1 does not run nova-numa-compute', text)

    def test_only_the_named_host_counts(self):
        self.nodes.append(
            node('compute3', topologies.host(topologies.host_cell(0)))
        )
        text = self.refused(exc.HTTPBadRequest, host='compute3')
        self.assertIn('compute3', text)
        self.assertNotIn('compute2', text)

    def test_a_host_that_does_not_exist(self):
        text = self.refused(exc.HTTPBadRequest, host='compute9')
        self.assertIn('compute9', text)

    def test_a_host_without_the_plugin(self):
        self.nodes[1] = node('compute2', stats={})
        self.assertIn(
            'host compute2 does not run nova-numa-compute',
            self.refused(exc.HTTPBadRequest),
        )

    def test_a_bare_guest_where_it_is_bound_already(self):
        self.instance.numa_topology = None
        self.instance.flavor.vcpus = self.instance.flavor.memory_mb = 2
        bound = binding.Binding('compute1', (3, 2))
        binding.place(self.instance.system_metadata, bound)
        text = self.refused(exc.HTTPBadRequest, host='compute1')
        self.assertIn('on host compute1, NUMA node(s) 3,2, already', text)

    def test_a_caller_without_the_right(self):
        text = self.refused(
            exception.PolicyNotAuthorized, request=self.a_request(admin=False)
        )
        self.assertIn('os_compute_api:os-numa-migrate:migrate', text)

    def test_rights_come_before_what_hosts_there_are(self):
        self.nodes = []
        self.refused(
            exception.PolicyNotAuthorized,
            {'numa_node': 'x'},
            request=self.a_request(admin=False),
        )


@ddt.ddt
class BlockersTestCase(MigrateTestCase):
    def conflict(self):
        return self.refused(exc.HTTPConflict)

    def test_every_one_is_named_at_once(self):
        self.instance.pci_requests.requests = [
            objects.InstancePCIRequest(
                alias_name='gpu', requester_id=None, request_id=None
            ),
            objects.InstancePCIRequest(
                alias_name=None, requester_id=uuids.port, request_id=None
            ),
        ]
        self.instance.flavor.extra_specs = {
            'hw:tpm_version': '2.0',
            'hw:mem_encryption': 'True',
            'resources:VGPU': '1',
        }
        self.shared.return_value = True
        self.nodes[0] = node('compute1', stats={})
        text = self.conflict()
        for name in (
            'PCI device or SR-IOV port (gpu)',
            f'PCI device or SR-IOV port ({uuids.port})',
            'vTPM',
            'encrypted memory',
            'mediated device (vGPU)',
            'virtiofs share',
            'its host compute1 runs no nova-numa-compute',
            'numa_checkpoint=preferred',
        ):
            self.assertIn(name, text)

    @ddt.data('resources:VGPU', 'resources1:VGPU', 'resources_GPU:VGPU')
    def test_a_vgpu_in_any_group(self, spec):
        self.instance.flavor.extra_specs = {spec: '1'}
        self.assertIn('mediated device (vGPU)', self.conflict())

    @ddt.data('resources:VCPU', 'trait:VGPU', 'hw:VGPU')
    def test_what_looks_like_a_vgpu(self, spec):
        self.instance.flavor.extra_specs = {spec: '1'}
        self.migrate()
        self.stock.assert_called_once()

    @ddt.data('preferred', 'never')
    def test_only_where_a_checkpoint_is_required(self, mode):
        self.shared.return_value = True
        self.migrate({'numa_node': '3,2', 'numa_checkpoint': mode})
        self.stock.assert_called_once()

    def test_a_source_that_is_gone_runs_no_plugin(self):
        self.nodes = [node('compute2')]
        self.assertIn('compute1 runs no nova-numa-compute', self.conflict())


@ddt.ddt
class HandOverTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.context = fakes.HTTPRequest.blank('').environ['nova.context']
        self.instance = objects.Instance(host='compute1', node='node1')
        self.spec = self.a_spec(scheduler_hints={'group': ['g']})
        self.sent = []
        self.useFixture(
            fixtures.MonkeyPatch(
                'nova.conductor.api.ComputeTaskAPI.resize_instance',
                lambda *args, **kwargs: self.sent.append((args[1:], kwargs)),
            )
        )
        self.plan = plan.Plan(
            self.context.request_id,
            hint.NodeMap((3, 2)),
            hint.CheckpointMode.NEVER,
        )

    def a_spec(self, host=None, **fields):
        """As Nova's API leaves it: the present host is to be ignored."""
        named = {} if host is None else {'host': host}
        return objects.RequestSpec(
            requested_destination=objects.Destination(**named),
            ignore_hosts=['compute1'],
            **fields,
        )

    def send(self):
        compute_api.PlannedTaskAPI().resize_instance(
            self.context,
            self.instance,
            'hint',
            flavor='f',
            request_spec=self.spec,
        )
        self.assertEqual(
            [
                (
                    (self.context, self.instance, 'hint'),
                    {'flavor': 'f', 'request_spec': self.spec},
                )
            ],
            self.sent,
        )
        return self.spec.scheduler_hints

    def test_the_plan_gets_on(self):
        compute_api.hand_over(self.context, self.plan)
        hints = self.send()
        self.assertEqual(['g'], hints['group'])
        self.assertEqual(
            self.plan, plan.Plan.of(hints, self.context.request_id)
        )

    def test_also_where_there_were_no_hints(self):
        self.spec = self.a_spec()
        compute_api.hand_over(self.context, self.plan)
        self.assertIn(plan.PLAN_KEY, self.send())

    def test_an_older_one_gets_off(self):
        self.spec.scheduler_hints = self.plan.added_to({'group': ['g']})
        self.assertEqual({'group': ['g']}, self.send())

    def test_without_any_nothing_is_changed(self):
        self.spec.obj_reset_changes()
        self.send()
        self.assertEqual(set(), self.spec.obj_what_changed())

    def test_the_present_host_is_admitted_where_it_is_named(self):
        compute_api.hand_over(self.context, self.plan)
        self.spec = self.a_spec('compute1')
        self.send()
        self.assertEqual([], self.spec.ignore_hosts)

    @ddt.data(None, 'compute2')
    def test_it_is_ignored_where_it_is_not(self, host):
        compute_api.hand_over(self.context, self.plan)
        self.spec = self.a_spec(host)
        self.send()
        self.assertEqual(['compute1'], self.spec.ignore_hosts)

    def test_it_is_ignored_without_a_plan(self):
        self.spec = self.a_spec('compute1', scheduler_hints=None)
        self.send()
        self.assertEqual(['compute1'], self.spec.ignore_hosts)

    def validate(self, host):
        with mock.patch.object(
            objects.ComputeNode, 'get_by_host_and_nodename', autospec=True
        ) as get:
            found = (
                compute_api.PlannedComputeAPI()._validate_host_for_cold_migrate
            )(self.context, self.instance, host, False)
            get.assert_called_once_with(self.context, 'compute1', 'node1')
            self.assertIs(get.return_value, found)

    def test_a_plan_may_name_the_present_host(self):
        compute_api.hand_over(self.context, self.plan)
        self.validate('compute1')

    def test_without_one_nova_refuses_it(self):
        self.assertRaises(
            exception.CannotMigrateToSameHost, self.validate, 'compute1'
        )

    def test_another_host_is_novas_to_find(self):
        compute_api.hand_over(self.context, self.plan)
        with mock.patch.object(
            novas_compute_api.API,
            '_validate_host_for_cold_migrate',
            autospec=True,
        ) as theirs:
            api = compute_api.PlannedComputeAPI()
            api._validate_host_for_cold_migrate(
                self.context, self.instance, 'compute2', True
            )
        theirs.assert_called_once_with(
            self.context, self.instance, 'compute2', True
        )

    def test_no_context_is_serialized_with_it(self):
        compute_api.hand_over(self.context, self.plan)
        self.assertNotIn(compute_api._ATTRIBUTE, self.context.to_dict())

    def test_the_controller_has_it(self):
        controller = migrate_server.NumaMigrateServerController()
        self.assertIsInstance(
            controller.compute_api.compute_task_api, compute_api.PlannedTaskAPI
        )
        self.assertIsInstance(controller, novas.MigrateServerController)
        self.assertTrue(
            issubclass(
                compute_api.PlannedTaskAPI, conductor_api.ComputeTaskAPI
            )
        )
