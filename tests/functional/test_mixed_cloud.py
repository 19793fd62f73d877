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

    def test_plain_moves_go_anywhere(self):
        server = self.boot(cells=2)
        for host in ('stock1', 'compute2'):
            self._migrate_server(server, host, api=self.admin_api)
            self.confirm(server)
            self.assertEqual([host], self.running_on(server))
            self.assert_on_nodes(server, [0, 1])
