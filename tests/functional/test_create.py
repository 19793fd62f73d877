# SPDX-License-Identifier: Apache-2.0
"""A server that is created with the hint, and what the hint does later."""

from __future__ import annotations

import functools

import fixtures
from nova.tests import fixtures as nova_fixtures
from nova.volume import cinder

from tests.functional import base


def _with_two_cells(get, *args, **kwargs):
    metadata = {'hw_numa_nodes': '2'}
    return {**get(*args, **kwargs), 'volume_image_metadata': metadata}


class CreateTest(base.NumaMigrateTestCase):
    def create(self, nodes, status=202, cells=2, api=None, **hints):
        flavor = self._create_flavor(
            vcpu=2 * cells,
            memory_mb=512 * cells,
            disk=1,
            ephemeral=0,
            extra_spec={
                'hw:numa_nodes': str(cells),
                'hw:cpu_policy': 'dedicated',
            },
        )
        answer = (api or self.admin_api).api_post(
            '/servers',
            {
                'server': self._build_server(
                    flavor_id=flavor, networks='none'
                ),
                'os:scheduler_hints': {'numa_node': nodes, **hints},
            },
            check_response_status=[status],
        )
        return answer.body

    def test_it_is_on_the_nodes_and_bound_no_longer(self):
        server = self.create('3,2')['server']
        self.wait_for(server, 'ACTIVE')
        self.assert_on_nodes(server, [3, 2])
        self.assert_audited({self.host_of(server): {2, 3}})
        # The plain migrate that follows goes where Nova puts it.
        self._migrate_server(server, api=self.admin_api)
        self.assert_on_nodes(server, [0, 1])
        self.confirm(server)
        self.hinted_migrate(server, [1, 3])
        self.assert_on_nodes(server, [1, 3])

    def test_only_a_host_with_the_plugin_and_room_takes_it(self):
        self.start_stock_compute('stock1', host_info=base.four_nodes())
        for host in self.HOSTS:
            filler = self.create('3', cells=1)['server']
            self.wait_for(filler, 'ACTIVE')
        server = self.create(['3'], cells=1)['server']
        self.wait_for(server, 'ERROR')
        self.assertEqual([], self.running_on(server))
        self.assertEqual(
            'No valid host was found. compute1 node 3: needs 2 dedicated '
            'CPUs, 0 free; compute2 node 3: needs 2 dedicated CPUs, 0 free; '
            'host stock1 does not run nova-numa-compute',
            self.admin_api.get_server(server['id'])['fault']['message'],
        )

    def test_the_volume_says_how_many_cells_the_guest_has(self):
        self.useFixture(
            fixtures.MockPatchObject(
                cinder.API,
                'get',
                new=functools.partial(_with_two_cells, cinder.API.get),
            )
        )
        server = self.create_on_volume('3,2')['server']
        self.wait_for(server, 'ACTIVE')
        self.assert_on_nodes(server, [3, 2])
        (fault,) = self.create_on_volume('1', 400).values()
        self.assertIn('guest has 2 NUMA cell(s)', fault['message'])

    def create_on_volume(self, nodes, status=202):
        flavor = self._create_flavor(
            vcpu=2, memory_mb=1024, disk=0, ephemeral=0
        )
        server = self._build_server(flavor_id=flavor, networks='none')
        del server['imageRef']
        server['block_device_mapping_v2'] = [
            {
                'boot_index': 0,
                'uuid': nova_fixtures.CinderFixture.IMAGE_BACKED_VOL,
                'source_type': 'volume',
                'destination_type': 'volume',
            }
        ]
        answer = self.admin_api.api_post(
            '/servers',
            {'server': server, 'os:scheduler_hints': {'numa_node': nodes}},
            check_response_status=[status],
        )
        return answer.body

    def test_what_is_refused(self):
        for nodes, words in (
            ('x', '"0:3,1:2"'),
            ('1', 'guest has 2 NUMA cell(s)'),
            ([3, 2], 'not a text'),
            (1, 'not a text'),
        ):
            (fault,) = self.create(nodes, 400).values()
            self.assertIn(words, fault['message'])
        (fault,) = self.create('3,2', 400, numa_checkpoint='perhaps').values()
        self.assertIn('required, preferred, never', fault['message'])
        self.api.microversion = 'latest'
        answer = self.create('3,2', 403, api=self.api)
        self.assertIn('os-numa-migrate:create', str(answer))
