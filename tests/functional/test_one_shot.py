# SPDX-License-Identifier: Apache-2.0
"""A hint steers its own request, and none of those that follow."""

from __future__ import annotations

from tests.functional import base

# Where Nova puts two cells by itself, on hosts that are empty.
BY_ITSELF = [0, 1]


class OneShotTest(base.NumaMigrateTestCase):
    def test_a_later_plain_migrate_is_a_plain_one(self):
        server = self.boot(cells=2)
        self.hinted_migrate(server, [3, 2])
        self.confirm(server)
        boot_id = self.guest(server).memory.boot_id
        self._migrate_server(server, api=self.admin_api)
        self.assert_on_nodes(server, BY_ITSELF)
        self.assertNotEqual(boot_id, self.guest(server).memory.boot_id)
        self.assertEqual(
            {'compute1': [], 'compute2': []}, self.checkpoint_files()
        )
        self._revert_and_check(server)

    def _revert_and_check(self, server):
        self.revert(server)
        self.assert_on_nodes(server, [3, 2])
        self.assert_audited({'compute1': set(), 'compute2': {2, 3}})

    def test_a_later_resize_is_a_plain_one(self):
        server = self.boot(cells=2)
        self.hinted_migrate(server, [3, 2])
        self.confirm(server)
        flavor = self._create_flavor(
            vcpu=4,
            memory_mb=2048,
            disk=1,
            ephemeral=0,
            extra_spec={
                'hw:numa_nodes': '2',
                'hw:cpu_policy': 'dedicated',
            },
        )
        # Not to its own host, where these nodes could not be told apart.
        self.flags(allow_resize_to_same_host=False)
        self.post_action(server, {'resize': {'flavorRef': flavor}})
        self.wait_for(server, 'VERIFY_RESIZE')
        self.assertEqual('compute1', self.host_of(server))
        self.assert_on_nodes(server, BY_ITSELF)

    def test_a_later_unshelve_goes_anywhere(self):
        # Nova keeps the hints of a request with the server.  Were they still
        # heeded, no host without the plugin could take it.
        server = self.boot(cells=2)
        self.hinted_migrate(server, [3, 2])
        self.confirm(server)
        self.flags(shelved_offload_time=0)
        self._shelve_server(server, 'SHELVED_OFFLOADED')
        self.start_stock_compute('stock1', host_info=base.four_nodes())
        for host in self.HOSTS:
            self.admin_api.put_service(
                self.computes[host].service_ref.uuid, {'status': 'disabled'}
            )
        self._unshelve_server(server)
        self.assertEqual(['stock1'], self.running_on(server))
        self.assert_on_nodes(server, BY_ITSELF)

    def test_a_tenant_cannot_plant_a_plan(self):
        flavor = self._create_flavor(
            vcpu=4,
            memory_mb=1024,
            disk=1,
            ephemeral=0,
            extra_spec={
                'hw:numa_nodes': '2',
                'hw:cpu_policy': 'dedicated',
            },
        )
        body = self._build_server(flavor_id=flavor, networks='none')
        planted = ['req-guessed', '3,2', 'required']
        server = self.api.post_server(
            {
                'server': body,
                'os:scheduler_hints': {'numa_migrate:plan': planted},
            }
        )
        self.wait_for(server, 'ACTIVE')
        boot_id = self.guest(server).memory.boot_id
        self._migrate_server(server, api=self.admin_api)
        self.assert_on_nodes(server, BY_ITSELF)
        self.assertNotEqual(boot_id, self.guest(server).memory.boot_id)
