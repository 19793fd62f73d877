# SPDX-License-Identifier: Apache-2.0
"""Why no host was valid is in the server's action."""

from __future__ import annotations

from unittest import mock

from nova import objects

from tests.functional import base


class ReasonsTest(base.NumaMigrateTestCase):
    CAST_AS_CALL = False

    def fail(self, server):
        """Ask for nodes 3 and 2 in vain; its events that tell why."""
        with self.assert_goes_on(server):
            self.post_migrate(server, [3, 2])
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

    def told(self, server):
        return self.fail(server)['numa_migrate_schedule_1']

    def test_where_placement_has_no_room_anywhere(self):
        server = self.boot(cells=2)
        self.boot(cells=4, host='compute2')
        told = self.told(server)
        self.assertEqual(
            'compute2 node 3: needs 2 dedicated CPUs, 0 free; '
            'compute2 node 2: needs 2 dedicated CPUs, 0 free',
            told,
        )
        # The dry run has the same words.
        plan = self.post_action(
            server,
            {
                'os-numaMigratePlan': {
                    'os:scheduler_hints': {'numa_node': '3,2'}
                }
            },
            200,
        ).body['numa_migrate_plan']
        (host,) = plan['hosts']
        self.assertEqual(told, '; '.join(host['reasons']))

    def test_where_placement_knows_of_something_else(self):
        server = self.boot(cells=2)
        provider = self.compute_rp_uuids['compute2']
        inventories = self._get_provider_inventory(provider)
        disk = inventories['DISK_GB']
        disk['reserved'] = disk['total']
        generation = self._get_resource_provider_by_uuid(provider)[
            'generation'
        ]
        self.placement.put(
            f'/resource_providers/{provider}/inventories',
            {
                'resource_provider_generation': generation,
                'inventories': inventories,
            },
            version='1.26',
        )
        self.assertEqual(
            'host compute2 has room on the nodes, but it needs 1 DISK_GB, '
            '0 free',
            self.told(server),
        )

    def test_where_the_traits_have_not_been_told_yet(self):
        server = self.boot(cells=2)
        self._set_provider_traits(self.compute_rp_uuids['compute2'], [])
        told = self.told(server)
        self.assertIn('has room on the nodes, but it has not the trait', told)
        self.assertIn('the trait CUSTOM_NUMA_NODE_3 in Placement', told)

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
            'event_start',
            autospec=True,
            side_effect=self._but_ours(),
        ):
            events = self.fail(server)
        self.assertIn('No valid host', events['conductor_migrate_server'])
        self.assertNotIn('numa_migrate_schedule_1', events)

    def _but_ours(self):
        start = objects.InstanceActionEvent.event_start

        def fail(context, uuid, name, *args, **kwargs):
            if name.startswith('numa_migrate'):
                raise RuntimeError('no database')
            return start(context, uuid, name, *args, **kwargs)

        return fail
