# SPDX-License-Identifier: Apache-2.0
"""Why no host was valid is in the server's action."""

from __future__ import annotations

from unittest import mock

from nova import objects

from tests.functional import base


class ReasonsTest(base.NumaMigrateTestCase):
    CAST_AS_CALL = False

    def fail(self, server, host=None):
        """Ask for nodes 3 and 2 in vain; its events that tell why."""
        with self.assert_goes_on(server):
            self.post_migrate(server, [3, 2], host)
            self.wait_for_failure(server)
        return {
            event['event']: event['details']
            for event in self.actions_of(server)
            if event['result'] == 'Error'
        }

    def test_the_nearest_misses(self):
        self.start_stock_compute('stock1', host_info=base.four_nodes())
        self.start_compute('compute3', host_info=base.four_nodes())
        server = self.boot(cells=2)
        self.boot(cells=4, host='compute3')
        filler = self.boot(cells=1)
        self.hinted_migrate(filler, [3], host='compute2')
        events = self.fail(server)
        self.assertIn('No valid host', events['conductor_migrate_server'])
        self.assertEqual(
            [
                'compute2 node 3: needs 2 dedicated CPUs, 0 free',
                'compute3 node 3: needs 2 dedicated CPUs, 0 free; '
                'compute3 node 2: needs 2 dedicated CPUs, 0 free',
                'host stock1 does not run nova-numa-compute',
            ],
            [events[f'numa_migrate_schedule_{n}'] for n in (1, 2, 3)],
        )

    def told(self, server, host=None):
        return self.fail(server, host)['numa_migrate_schedule_1']

    def test_where_placement_has_no_room_anywhere(self):
        server = self.boot(cells=2)
        self.boot(cells=4, host='compute2')
        told = self.told(server)
        self.assertEqual(
            'compute2 node 3: needs 2 dedicated CPUs, 0 free; '
            'compute2 node 2: needs 2 dedicated CPUs, 0 free',
            told,
        )
        self.assertEqual(told, self.foretold(server))

    def foretold(self, server, host=None):
        """The words of the dry run."""
        body = {'host': host, 'os:scheduler_hints': self.hints([3, 2])}
        plan = self.post_action(server, {'os-numaMigratePlan': body}, 200)
        (host,) = plan.body['numa_migrate_plan']['hosts']
        self.assertFalse(host['fits'])
        return '; '.join(host['reasons'])

    def test_where_placement_knows_of_something_else(self):
        server = self.boot(cells=2)
        self.reserve('compute2', 'DISK_GB')
        self.reserve('compute2', 'MEMORY_MB', but=1023)
        told = self.told(server)
        self.assertEqual(
            'host compute2 has room on the nodes, but it needs 1 DISK_GB, '
            '0 free; it needs 1024 MEMORY_MB, 1023 free',
            told,
        )
        self.assertEqual(told, self.foretold(server))

    def test_where_the_present_host_has_no_room_for_it_twice(self):
        server = self.boot(cells=2)
        self.reserve('compute1', 'DISK_GB', but=1)
        told = self.told(server, 'compute1')
        self.assertEqual(
            'host compute1 has room on the nodes, but it needs 1 DISK_GB, '
            '0 free',
            told,
        )
        self.assertEqual(told, self.foretold(server, 'compute1'))

    def test_where_the_traits_have_not_been_told_yet(self):
        server = self.boot(cells=2)
        self._set_provider_traits(self.compute_rp_uuids['compute2'], [])
        told = self.told(server)
        self.assertIn('has room on the nodes, but it lacks the trait', told)
        self.assertIn('the trait CUSTOM_NUMA_NODE_3 in Placement', told)
        self.assertEqual(told, self.foretold(server))

    def test_where_placement_does_not_know_the_host(self):
        server = self.boot(cells=2)
        self.forget_in_placement('compute2')
        told = self.told(server)
        self.assertIn('has room on the nodes, but Placement does not', told)
        self.assertEqual(told, self.foretold(server))

    def test_where_the_service_is_disabled(self):
        server = self.boot(cells=2)
        service = self.computes['compute2'].service_ref.uuid
        self.admin_api.put_service(service, {'status': 'disabled'})
        self.assertEqual(
            'host compute2: its nova-compute is disabled', self.told(server)
        )

    def test_where_the_reasons_cannot_be_told(self):
        server = self.boot(cells=2)
        self.boot(cells=4, host='compute2')
        with mock.patch.object(
            objects.InstanceActionEvent,
            'create',
            autospec=True,
            side_effect=RuntimeError('no database'),
        ):
            events = self.fail(server)
        self.assertIn('No valid host', events['conductor_migrate_server'])
        self.assertNotIn('numa_migrate_schedule_1', events)
