# SPDX-License-Identifier: Apache-2.0
"""What a host says of the distances between its nodes."""

import testtools

from nova_numa_migrate.placement import distances
from tests import fake_nodes


class DistancesTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.nodes = self.useFixture(fake_nodes.FakeNodesFixture())

    def read(self):
        return distances.of({distances.STATS_KEY: distances.read()})

    def test_what_the_kernel_says_is_what_is_reported(self):
        self.nodes.set_distances([[10, 21], [31, 10]])
        self.assertEqual({0: {0: 10, 1: 21}, 1: {0: 31, 1: 10}}, self.read())

    def test_the_kernel_lists_the_nodes_that_are_online(self):
        for node in (2, 10):
            self.nodes.set(node, 1)
        for node, row in ((2, '10 20'), (10, '20 10')):
            (self.nodes.root / f'node{node}' / 'distance').write_text(row)
        self.assertEqual(
            {2: {2: 10, 10: 20}, 10: {2: 20, 10: 10}}, self.read()
        )

    def test_a_host_that_does_not_say(self):
        for stats in (None, {}, {distances.STATS_KEY: None}):
            self.assertEqual({}, distances.of(stats))
        self.assertEqual({}, self.read())
