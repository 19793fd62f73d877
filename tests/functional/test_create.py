# SPDX-License-Identifier: Apache-2.0
"""A server that is created with the hint, and what the hint does later."""

from __future__ import annotations

from tests.functional import base


class CreateTest(base.NumaMigrateTestCase):
    def create(self, nodes, status=202, cells=2, api=None):
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
                'os:scheduler_hints': {'numa_node': nodes},
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

    def test_what_is_refused(self):
        for nodes, words in (
            ('x', '"0:3,1:2"'),
            ('1', 'guest has 2 NUMA cell(s)'),
            ([3, 2], 'not a text'),
            (1, 'not a text'),
        ):
            (fault,) = self.create(nodes, 400).values()
            self.assertIn(words, fault['message'])
        self.api.microversion = 'latest'
        answer = self.create('3,2', 403, api=self.api)
        self.assertIn('os-numa-migrate:create', str(answer))
