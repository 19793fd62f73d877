# SPDX-License-Identifier: Apache-2.0
"""A cloud of two cells between which Nova's policy lets servers move."""

from __future__ import annotations

from nova.policies import base as base_policies
from nova.policies import servers as servers_policies

from tests.functional import base


class CellsTest(base.NumaMigrateTestCase):
    CAST_AS_CALL = False
    NUMBER_OF_CELLS = 2

    def setUp(self):
        super().setUp()
        self.start_compute(
            'elsewhere', host_info=base.four_nodes(), cell_name='cell2'
        )
        self.policy.set_rules(
            {
                servers_policies.CROSS_CELL_RESIZE: (
                    base_policies.RULE_ADMIN_API
                )
            },
            overwrite=False,
        )

    def test_a_hinted_move_stays_in_its_cell(self):
        server = self.boot(cells=1)
        self.boot(cells=4, host='compute2')
        self.post_migrate(server, [3], host='elsewhere', status=400)
        with self.assert_goes_on(server):
            self.post_migrate(server, [3])
            self.wait_for_failure(server)
        self.assert_on_nodes(server, [0])
        # A plain one leaves it for the only other host with room.
        self._migrate_server(server, api=self.admin_api)
        self.assertEqual('elsewhere', self.host_of(server))
