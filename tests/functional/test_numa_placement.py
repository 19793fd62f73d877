# SPDX-License-Identifier: Apache-2.0
"""What the API tells of where a server is."""

from __future__ import annotations

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

    def test_pages_that_are_elsewhere(self):
        server = self.boot(cells=1)
        self.hinted_migrate(server, [3])
        instance = self.instance(server)
        report.CellPlacement(0, 3, {3: 3 * PAGES // 4, 1: PAGES // 4}).store(
            instance.system_metadata
        )
        instance.save()
        self.assertEqual([0.75], self.shown(server, 'share'))

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

    def test_what_is_refused(self):
        server = self.boot(cells=1)
        self.get({'id': 'e5a3bd04-0b3a'}, 404)
        self.get(server, 400, query='?colour=green')
        for api in (self.api, self.api_fixture.reader_api):
            answer = self.get(server, 403, api=api)
            self.assertIn('os-numa-placement', str(answer))
