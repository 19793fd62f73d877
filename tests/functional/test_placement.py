# SPDX-License-Identifier: Apache-2.0
"""Guests land on exactly the nodes that were asked for, with their state."""

from __future__ import annotations

from nova_numa_migrate.placement.report import CellPlacement
from tests.functional import base
from tests.functional import whereabouts


class PlacementTest(base.NumaMigrateTestCase):
    # All 12 ordered pairs; in three tests, so that they run beside each other.

    def test_two_cells_to_neighbouring_nodes(self):
        self._visit([(0, 1), (1, 2), (2, 3), (3, 0)])

    def test_two_cells_to_neighbouring_nodes_in_reverse(self):
        self._visit([(1, 0), (2, 1), (3, 2), (0, 3)])

    def test_two_cells_to_opposite_nodes(self):
        self._visit([(0, 2), (2, 0), (1, 3), (3, 1)])

    def _visit(self, pairs):
        server = self.boot(cells=2)
        for pair in pairs:
            with self.assert_goes_on(server):
                self.hinted_migrate(server, pair)
                self.assert_on_nodes(server, pair)
                self.confirm(server)
                self.assert_on_nodes(server, pair)
                self.assert_audited({self.host_of(server): set(pair)})

    def test_one_cell_to_every_node(self):
        server = self.boot(cells=1)
        for node in whereabouts.NODES:
            with self.assert_goes_on(server):
                self.hinted_migrate(server, [node])
                self.assert_on_nodes(server, [node])
                self.confirm(server)
                self.assert_audited({self.host_of(server): {node}})

    def test_shared_cpus(self):
        server = self.boot(cells=2, dedicated=False)
        with self.assert_goes_on(server):
            self.hinted_migrate(server, [3, 1])
            self.assert_on_nodes(server, [3, 1])

    def test_the_other_forms_of_the_hint(self):
        server = self.boot(cells=2)
        for hint, nodes in (
            (['1', '3'], [1, 3]),
            ('1:0,0:2', [2, 0]),
        ):
            body = {'os:scheduler_hints': {'numa_node': hint}}
            self.post_action(server, {'migrate': body})
            self.wait_for(server, 'VERIFY_RESIZE')
            self.assert_on_nodes(server, nodes)
            self.confirm(server)

    def test_to_the_named_host(self):
        self.start_compute('compute3', host_info=base.four_nodes())
        server = self.boot(cells=1)
        self.hinted_migrate(server, [2], host='compute3')
        self.assertEqual('compute3', self.host_of(server))
        self.assert_on_nodes(server, [2])

    def test_pages_are_measured_and_kept_until_the_confirm(self):
        server = self.boot(cells=2)
        self.hinted_migrate(server, [3, 2])
        metadata = self.instance(server).system_metadata
        pages = 512 * 1024 // 4
        self.assertEqual(
            [
                CellPlacement(0, 3, {3: pages}),
                CellPlacement(1, 2, {2: pages}),
            ],
            [CellPlacement.of(metadata, cell) for cell in (0, 1)],
        )
        self.confirm(server)
        metadata = self.instance(server).system_metadata
        self.assertEqual(
            [], [key for key in metadata if key.startswith('numa_migrate')]
        )
