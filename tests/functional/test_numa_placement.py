# SPDX-License-Identifier: Apache-2.0
"""What the API tells of where a server is."""

from __future__ import annotations

from unittest import mock

from nova_numa_migrate import rpc
from nova_numa_migrate.placement import report
from tests.functional import base
from tests.functional import samples

PAGES = 512 * 1024 // 4


class NumaPlacementTest(base.NumaMigrateTestCase):
    def get(self, server, status=200, api=None, query=''):
        answer = (api or self.admin_api).api_get(
            f'/servers/{server["id"]}/os-numa-placement{query}',
            check_response_status=[status],
        )
        return answer.body

    def shown(self, server, key):
        cells = self.get(server)['numa_placement']['cells']
        return [cell[key] for cell in cells]

    def test_before_and_after_a_move(self):
        server = self.boot(cells=2)
        before = self.get(server)['numa_placement']
        self.assertEqual('compute1', before['host'])
        self.assertIsNone(before['asked'])
        self.assertEqual([0, 1], self.shown(server, 'claimed_node'))
        self.assertEqual([None, None], self.shown(server, 'asked_node'))
        self.hinted_migrate(server, [3, 2])
        samples.check(
            self,
            'numa-placement-show',
            self.get(server),
            {server['id']: samples.SERVER},
        )
        self.confirm(server)
        self.assertEqual([3, 2], self.shown(server, 'claimed_node'))

    def test_it_is_the_host_that_measures(self):
        server = self.boot(cells=1)
        pages = report.CellPlacement(0, 0, {0: 3 * PAGES // 4, 1: PAGES // 4})
        with mock.patch.object(
            rpc.NumaComputeAPI,
            'measure_placement',
            autospec=True,
            return_value=[pages],
        ):
            self.assertEqual([0.75], self.shown(server, 'share'))
            self.assertEqual(
                [{'0': 3 * PAGES // 4, '1': PAGES // 4}],
                self.shown(server, 'pages'),
            )

    def test_a_host_that_cannot_be_asked(self):
        server = self.boot(cells=1)
        self.hinted_migrate(server, [3])
        self.force_down('compute2', True)
        found = self.get(server)['numa_placement']
        self.assertEqual('after_move', found['measured'])
        self.assertIn('compute2 is down', found['error'])
        self.assertEqual([{'3': PAGES}], self.shown(server, 'pages'))
        self.force_down('compute2', False)
        self.confirm(server)
        self.post_action(server, {'os-stop': None})
        self.wait_for(server, 'SHUTOFF')
        found = self.get(server)['numa_placement']
        self.assertIsNone(found['measured'])
        self.assertIn('compute2', found['error'])
        self.assertEqual([None], self.shown(server, 'pages'))

    def force_down(self, host, down):
        self.admin_api.put_service_force_down(
            self.computes[host].service_ref.uuid, down
        )

    def test_a_host_without_the_plugin(self):
        self.start_stock_compute('stock1', host_info=base.four_nodes())
        server = self.boot(cells=1, host='stock1')
        found = self.get(server)['numa_placement']
        self.assertIsNone(found['measured'])
        self.assertIn('stock1', found['error'])

    def test_guests_of_which_little_is_known(self):
        flavor = self._create_flavor(vcpu=1, disk=1, ephemeral=0)
        plain = self._create_server(
            flavor_id=flavor, networks='none', api=self.admin_api
        )
        found = self.get(plain)['numa_placement']
        self.assertEqual([], found['cells'])
        self.assertIn('no virtual NUMA topology', found['error'])
        server = self.boot(cells=1)
        self.flags(shelved_offload_time=0)
        self._shelve_server(server, 'SHELVED_OFFLOADED')
        self.assertIsNone(self.get(server)['numa_placement']['host'])
        self.assertEqual([None], self.shown(server, 'claimed_node'))

    def test_pages_of_which_no_host_has_decided_the_size(self):
        flavor = self._create_flavor(
            vcpu=1,
            disk=1,
            ephemeral=0,
            extra_spec={'hw:mem_page_size': 'large'},
        )
        server = self._create_server(
            flavor_id=flavor,
            networks='none',
            api=self.admin_api,
            expected_state='ERROR',
        )
        self.assertEqual([None], self.shown(server, 'page_size_kb'))

    def test_what_is_refused(self):
        server = self.boot(cells=1)
        self.get({'id': 'e5a3bd04-0b3a'}, 404)
        self.get(server, 400, query='?colour=green')
        for api in (self.api, self.api_fixture.reader_api):
            answer = self.get(server, 403, api=api)
            self.assertIn('os-numa-placement', str(answer))
