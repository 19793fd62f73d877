# SPDX-License-Identifier: Apache-2.0
"""Traits for nodes: what a host has, and what a map asks."""

import testtools

from nova_numa_migrate import hint
from nova_numa_migrate.placement import traits


class TraitsTestCase(testtools.TestCase):
    def test_of_a_host(self):
        self.assertEqual(
            {
                'CUSTOM_NUMA_CHECKPOINT',
                'CUSTOM_NUMA_NODE_0',
                'CUSTOM_NUMA_NODE_12',
            },
            traits.of_host([0, 12]),
        )
        self.assertEqual({'CUSTOM_NUMA_CHECKPOINT'}, traits.of_host([]))

    def test_placement_takes_any_of_them(self):
        for trait in traits.of_host(range(hint.MAX_ID + 1)):
            self.assertRegex(trait, r'\ACUSTOM_[A-Z0-9_]{1,248}\Z')

    def test_a_map_asks_what_each_host_with_its_nodes_has(self):
        asked = traits.asked_by(hint.NodeMap((3, 2)))
        self.assertLessEqual(asked, traits.of_host(range(4)))
        self.assertEqual(
            {'CUSTOM_NUMA_NODE_3'}, asked - traits.of_host([0, 1, 2])
        )
        self.assertNotEqual(set(), traits.asked_by(hint.NodeMap(())))

    def test_only_ours_are_ours(self):
        held = traits.of_host([0, 7])
        foreign = {
            'HW_CPU_X86_AVX',
            'CUSTOM_NUMA_NODE_',
            'CUSTOM_NUMA_NODE_1_FAST',
            'CUSTOM_NUMA_CHECKPOINT_2',
            'CUSTOM_MY_NUMA_NODE_1',
        }
        self.assertEqual(held, traits.ours(held | foreign))
