# SPDX-License-Identifier: Apache-2.0
"""The dry run: what it says is what a move meets, and it moves nothing."""

from __future__ import annotations

from unittest import mock

from nova import context as nova_context
from nova import objects
from nova.scheduler.client import report

from tests.functional import base
from tests.functional import samples


class PlanTest(base.NumaMigrateTestCase):
    HOSTS = ('compute1', 'compute2', 'compute3')

    def plan(self, server, nodes=None, host=None, status=200, api=None):
        hints = {} if nodes is None else self.hints(nodes)
        body = {'host': host, 'os:scheduler_hints': hints}
        answer = self.post_action(
            server, {'os-numaMigratePlan': body}, status, api
        )
        return answer.body

    def reasons(self, *args, **kwargs):
        plan = self.plan(*args, **kwargs)['numa_migrate_plan']
        return {one['host']: one['reasons'] for one in plan['hosts']}

    def fill(self, host, nodes):
        """Take the dedicated CPUs of these nodes."""
        for node in nodes:
            filler = self.boot(cells=1, host='compute1')
            self.hinted_migrate(filler, [node], host)
            self.confirm(filler)

    def test_yes_and_no(self):
        self.start_stock_compute('stock1', host_info=base.four_nodes())
        server = self.boot(cells=2)
        self.fill('compute2', [3])
        before = self.instance(server)
        plan = self.plan(server, [3, 2])
        samples.check(
            self, 'migrate-plan', plan, {server['id']: samples.SERVER}
        )
        shown = plan['numa_migrate_plan']
        self.assertEqual(
            ['compute3', 'compute2', 'stock1'],
            [one['host'] for one in shown['hosts']],
        )
        self.assertEqual(
            [True, False, False], [one['fits'] for one in shown['hosts']]
        )
        self.assertEqual(
            before.obj_to_primitive(), self.instance(server).obj_to_primitive()
        )
        spec = objects.RequestSpec.get_by_instance_uuid(
            nova_context.get_admin_context(), server['id']
        )
        self.assertNotIn('numa_migrate:plan', spec.scheduler_hints or {})
        self.assertEqual('create', self._newest_action(server))
        self.hinted_migrate(server, [3, 2])
        self.assertEqual('compute3', self.host_of(server))

    def _newest_action(self, server):
        return self.admin_api.get_instance_actions(server['id'])[0]['action']

    def test_any_nodes(self):
        server = self.boot(cells=2)
        self.fill('compute2', [0, 2])
        self.fill('compute3', [0, 1, 2])
        hosts = self.plan(server)['numa_migrate_plan']['hosts']
        self.assertEqual(
            ('compute2', {1, 3}),
            (hosts[0]['host'], set(hosts[0]['numa_node'])),
        )
        self.assertIsNone(hosts[1]['numa_node'])
        self.assertIn(
            'compute3 guest cells 0-1: need 2', hosts[1]['reasons'][0]
        )

    def test_hosts_that_take_nobody(self):
        server = self.boot(cells=1)
        self.admin_api.put_service(
            self.computes['compute2'].service_ref.uuid, {'status': 'disabled'}
        )
        self.admin_api.put_service_force_down(
            self.computes['compute3'].service_ref.uuid, True
        )
        self.assertEqual(
            {
                'compute2': ['host compute2: its nova-compute is disabled'],
                'compute3': ['host compute3: its nova-compute is down'],
            },
            self.reasons(server, [1]),
        )
        for asked in ([1], None):
            hosts = self.plan(server, asked)['numa_migrate_plan']['hosts']
            self.assertEqual([asked] * 2, [one['numa_node'] for one in hosts])
        self.assertEqual(
            ['compute2'], list(self.reasons(server, [1], 'compute2'))
        )

    def test_nodes_that_were_found_where_placement_has_no_room(self):
        server = self.boot(cells=2)
        self.fill('compute2', [0, 2])
        self.reserve('compute2', 'DISK_GB')
        (found,) = self.plan(server, host='compute2')['numa_migrate_plan'][
            'hosts'
        ]
        self.assertIn('it needs 1 DISK_GB, 0 free', found['reasons'][0])
        self.assertEqual({1, 3}, set(found['numa_node']))

    def test_the_present_host_where_it_is_named(self):
        server = self.boot(cells=1)
        self.assertNotIn('compute1', self.reasons(server, [1]))
        self.assertEqual(
            {'compute1': []}, self.reasons(server, [1], 'compute1')
        )
        self.boot(cells=1, host='compute1')
        (told,) = self.reasons(server, [1], 'compute1').values()
        self.assertIn('needs 2 dedicated CPUs, 0 free', told[0])
        self.assertIn('stays booked until the move is confirmed', told[1])

    def test_where_placement_does_not_answer(self):
        server = self.boot(cells=1)
        with mock.patch.object(
            report.SchedulerReportClient,
            'get_allocation_candidates',
            autospec=True,
            return_value=None,
        ):
            answer = self.plan(server, [1], status=503)
        self.assertIn('Placement does not answer', str(answer))

    def test_a_host_that_placement_does_not_know(self):
        server = self.boot(cells=1)
        self.reserve('compute3', 'DISK_GB')
        self.forget_in_placement('compute2')
        told = self.reasons(server, [1])
        self.assertEqual(
            told['compute2'],
            self.reasons(server, [1], 'compute2')['compute2'],
        )
        self.assertIn(
            'Placement does not tell its traits', told['compute2'][0]
        )
        self.assertIn('it needs 1 DISK_GB, 0 free', told['compute3'][0])

    def test_a_node_that_is_nowhere(self):
        server = self.boot(cells=1)
        self.assertEqual(
            ['host compute2 has no NUMA node 7 (it has 0-3)'],
            self.reasons(server, [7])['compute2'],
        )

    def test_only_so_many_hosts_are_shown(self):
        server = self.boot(cells=1)
        self.flags(group='api', max_limit=1)
        shown = self.plan(server, [1])['numa_migrate_plan']
        self.assertEqual(1, len(shown['hosts']))
        self.assertEqual(1, shown['hosts_omitted'])

    def test_what_is_refused_as_the_move_is(self):
        server = self.boot(cells=2)
        for nodes, host, words in (
            ('1', None, 'guest has 2 NUMA cell(s)'),
            ('x', None, '"0:3,1:2"'),
            ('0,1', 'compute1', 'on host compute1, NUMA node(s) 0,1, already'),
            ('3,2', 'compute9', 'compute9'),
        ):
            told = []
            for action in ('migrate', 'os-numaMigratePlan'):
                body = {
                    'host': host,
                    'os:scheduler_hints': {'numa_node': nodes},
                }
                answer = self.post_action(server, {action: body}, 400)
                (fault,) = answer.body.values()
                told.append(fault['message'])
            self.assertIn(words, told[1])
            self.assertEqual(told[0], told[1])
        self.post_action(server, {'os-numaMigratePlan': {'colour': 1}}, 400)
        self.post_action(server, {'os-numaMigratePlan': None}, 400)
        self.plan({'id': 'e5a3bd04-0b3a'}, status=404)
        for api in (self.api, self.api_fixture.reader_api):
            answer = self.plan(server, [3, 2], status=403, api=api)
            self.assertIn('os-numa-migrate:plan', str(answer))

    def test_a_server_that_may_not_move_is_refused_as_its_move_is(self):
        server = self.boot(cells=2)
        self.force_down('compute1', True)
        self.assert_conflict(server, 'Service is unavailable at this time.')
        self.force_down('compute1', False)
        self.post_action(server, {'pause': None})
        self.wait_for(server, 'PAUSED')
        self.assert_conflict(server, 'while it is in vm_state paused')
        # One that found no host is in the cell that has none.
        nowhere = self._create_server(
            flavor_id=self._create_flavor(
                vcpu=1, extra_spec={"hw:mem_page_size": "large"}
            ),
            networks='none',
            api=self.admin_api,
            expected_state='ERROR',
        )
        self.assert_conflict(nowhere, 'while it is in vm_state error', [1])

    def assert_conflict(self, server, words, nodes=(3, 2)):
        body = {'host': None, 'os:scheduler_hints': self.hints(nodes)}
        for action in ('migrate', 'os-numaMigratePlan'):
            answer = self.post_action(server, {action: body}, 409)
            self.assertIn(words, answer.body['conflictingRequest']['message'])

    def force_down(self, host, down):
        self.admin_api.put_service_force_down(
            self.computes[host].service_ref.uuid, down
        )
