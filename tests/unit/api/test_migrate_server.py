# SPDX-License-Identifier: Apache-2.0
"""The migrate action with hints, up to where Nova's own method has it."""

import ddt
from nova import exception
from nova.compute import task_states
from nova.compute import vm_states
from oslo_utils.fixture import uuidsentinel as uuids
from webob import exc

from nova_numa_migrate import binding
from nova_numa_migrate import hint
from nova_numa_migrate import plan
from nova_numa_migrate.api import policy
from tests.unit import topologies
from tests.unit.api import migrate_base


@ddt.ddt
class AcceptedTestCase(migrate_base.MigrateTestCase):
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
        self.nodes = [migrate_base.node('compute1')]
        self.migrate(host='compute1')
        self.stock.assert_called_once()

    def test_what_is_read_of_a_server_does_not_grow(self):
        """Nova adds to the list that it is given."""
        self.get.side_effect = lambda *_, expected_attrs: (
            expected_attrs.append('metadata') or self.instance
        )
        for _ in range(2):
            self.migrate()
        first, second = (
            call.kwargs['expected_attrs'] for call in self.get.call_args_list
        )
        self.assertEqual(first, second)

    def test_the_same_nodes_of_another_host(self):
        self.migrate({'numa_node': '0,1'}, host='compute2')
        self.migrate({'numa_node': '0,1'})
        self.assertEqual(2, self.stock.call_count)

    def test_a_stopped_guest_has_no_state_that_a_blocker_could_hold(self):
        self.instance.vm_state = vm_states.STOPPED
        self.shared.return_value = True
        self.migrate()
        self.stock.assert_called_once()


@ddt.ddt
class RefusedTestCase(migrate_base.MigrateTestCase):
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
        (
            {'numa_node': '3'},
            'it names 1 host node(s), but the guest has 2',
        ),
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
        self.nodes[1] = migrate_base.node(
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
        self.nodes[0] = migrate_base.node('compute1', stats={})
        text = self.refused(exc.HTTPBadRequest, host='compute1')
        self.assertIn('host compute1 does not run nova-numa-compute', text)

    def test_only_the_named_host_counts(self):
        self.nodes.append(
            migrate_base.node(
                'compute3', topologies.host(topologies.host_cell(0))
            )
        )
        text = self.refused(exc.HTTPBadRequest, host='compute3')
        self.assertIn('compute3', text)
        self.assertNotIn('compute2', text)

    def test_a_host_that_does_not_exist(self):
        text = self.refused(exc.HTTPBadRequest, host='compute9')
        self.assertIn('compute9', text)

    def test_a_host_without_the_plugin(self):
        self.nodes[1] = migrate_base.node('compute2', stats={})
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

    @ddt.data(
        ({'vm_state': vm_states.ERROR}, 'while it is in vm_state error'),
        (
            {'vm_state': vm_states.BUILDING, 'host': None},
            'while it is in vm_state building',
        ),
        ({'vm_state': vm_states.PAUSED}, 'while it is in vm_state paused'),
        (
            {'vm_state': vm_states.SHELVED_OFFLOADED, 'host': None},
            'while it is in vm_state shelved_offloaded',
        ),
        (
            {'task_state': task_states.RESIZE_PREP},
            'while it is in task_state resize_prep',
        ),
        ({'launched_at': None}, "for 'migrate'"),
        ({'host': None}, f'Instance {uuids.server} is not ready'),
    )
    @ddt.unpack
    def test_a_server_that_nova_would_not_move(self, state, words):
        """As Nova does, and before anything is looked for in its cell."""
        self.nodes = []
        for name, value in state.items():
            setattr(self.instance, name, value)
        self.assertIn(words, self.refused(exc.HTTPConflict))

    def test_a_host_that_is_down(self):
        self.nodes = []
        self.up.return_value = False
        self.assertEqual(
            'Service is unavailable at this time.',
            self.refused(exc.HTTPConflict),
        )

    def test_a_locked_server(self):
        self.instance.locked = True
        self.migrate()
        self.stock.reset_mock()
        self.patch(policy, 'authorize')
        self.request = self.a_request(admin=False)
        self.assertEqual(
            f'Instance {uuids.server} is locked',
            self.refused(exc.HTTPConflict),
        )

    def test_a_hint_that_is_wrong_in_itself_comes_before_that(self):
        self.up.return_value = False
        self.refused(exc.HTTPBadRequest, {'numa_node': 'x'})

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
