# SPDX-License-Identifier: Apache-2.0
"""A cloud in which some hosts run Nova's own nova-compute."""

from __future__ import annotations

from tests.functional import base


class MixedCloudTest(base.NumaMigrateTestCase):
    HOSTS = ('compute1', 'compute2')
    CAST_AS_CALL = False

    def setUp(self):
        super().setUp()
        self.start_stock_compute('stock1', host_info=base.four_nodes())
        self.start_stock_compute('stock2', host_info=base.four_nodes())

    def test_a_stock_host_is_never_chosen(self):
        server = self.boot(cells=2)
        # The emptiest host would be chosen, and that is not compute2.
        self.boot(cells=2, dedicated=False, host='compute2')
        self.flags(group='filter_scheduler', ram_weight_multiplier=1000.0)
        with self.assert_goes_on(server):
            self.hinted_migrate(server, [3, 2])
        self.assertEqual('compute2', self.host_of(server))
        self.assert_on_nodes(server, [3, 2])

    def test_not_even_when_no_other_has_room(self):
        server = self.boot(cells=2)
        self.boot(cells=4, host='compute2')
        with self.assert_goes_on(server):
            self.post_migrate(server, [3, 2])
            self.wait_for_failure(server)
        self.assert_on_nodes(server, [0, 1])

    def test_naming_a_stock_host_is_refused(self):
        server = self.boot(cells=2)
        answer = self.post_migrate(server, [3, 2], host='stock1', status=400)
        self.assertIn(
            'host stock1 does not run nova-numa-compute',
            answer.body['badRequest']['message'],
        )
        self.assert_on_nodes(server, [0, 1])

    def test_a_guest_on_a_stock_host_is_refused(self):
        server = self.boot(cells=2, host='stock1')
        answer = self.post_migrate(server, [3, 2], status=409)
        self.assertIn(
            'its host stock1 runs no nova-numa-compute',
            answer.body['conflictingRequest']['message'],
        )
        self.assert_on_nodes(server, [0, 1])

    def move_from_a_stock_host(self):
        """To nodes 3 and 2 of compute1, booted there."""
        server = self.boot(cells=2, host='stock1')
        boot_id = self.guest(server).memory.boot_id
        hints = self.hints([3, 2], numa_checkpoint='preferred')
        body = {'host': 'compute1', 'os:scheduler_hints': hints}
        self.post_action(server, {'migrate': body})
        self.wait_for(server, 'VERIFY_RESIZE')
        self.assertEqual(['compute1'], self.running_on(server))
        self.assert_on_nodes(server, [3, 2])
        self.assertNotEqual(boot_id, self.guest(server).memory.boot_id)
        self.assertEqual([], self.checkpoint_files()['compute1'])
        return server

    def asked(self, server):
        return self.admin_api.api_get(
            f'/servers/{server["id"]}/os-numa-placement'
        ).body['numa_placement']['asked']

    def test_preferred_moves_a_guest_from_a_stock_host(self):
        server = self.move_from_a_stock_host()
        self.assertEqual([3, 2], self.asked(server)['numa_node'])
        self.confirm(server)
        self.assertIsNone(self.asked(server))
        self.assert_on_nodes(server, [3, 2])
        self.assert_audited({'compute1': {2, 3}, 'stock1': set()})
        with self.assert_goes_on(server):
            self.hinted_migrate(server, [0, 1], host='compute2')

    def test_and_back(self):
        server = self.move_from_a_stock_host()
        self.revert(server)
        self.assertEqual(['stock1'], self.running_on(server))
        self.assertIsNone(self.asked(server))
        self.assert_on_nodes(server, [0, 1])
        self.assert_audited({'compute1': set(), 'stock1': {0, 1}})

    def test_what_a_stock_source_leaves_behind_steers_no_later_move(self):
        server = self.move_from_a_stock_host()
        self.confirm(server)
        self._migrate_server(server, 'stock2', api=self.admin_api)
        self.assertEqual(['stock2'], self.running_on(server))
        self.assertEqual([], self.checkpoint_files()['compute1'])
        self.confirm(server)

    def test_plain_moves_go_anywhere(self):
        server = self.boot(cells=2)
        for host in ('stock1', 'compute2'):
            self._migrate_server(server, host, api=self.admin_api)
            self.confirm(server)
            self.assertEqual([host], self.running_on(server))
            self.assert_on_nodes(server, [0, 1])
