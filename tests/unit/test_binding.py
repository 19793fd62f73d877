# SPDX-License-Identifier: Apache-2.0
"""What an instance's system metadata says of a bare guest's nodes."""

import ddt
import hypothesis
from hypothesis import strategies as st
import testtools

from nova_numa_migrate import binding
from nova_numa_migrate import hint
from nova_numa_migrate import move

HERE = binding.Binding('compute1', (3, 1))
THERE = binding.Binding('compute2', (0,))
ID = 'a-migration'
MOVE = move.Move(ID, hint.NodeMap((0,)), hint.CheckpointMode.NEVER)

nodes = st.lists(
    st.integers(0, hint.MAX_ID), min_size=1, max_size=128, unique=True
).map(tuple)


@ddt.ddt
class SharesTestCase(testtools.TestCase):
    @ddt.data(
        ((1,), 1, 96, [(1, [0], 96)]),
        ((1,), 3, 96, [(1, [0, 1, 2], 96)]),
        ((3, 1), 2, 128, [(3, [0], 64), (1, [1], 64)]),
        ((3, 1), 5, 101, [(3, [0, 1, 2], 51), (1, [3, 4], 51)]),
        ((2, 0, 1), 1, 96, [(2, [0], 32), (0, [], 32), (1, [], 32)]),
    )
    @ddt.unpack
    def test_examples(self, nodes, vcpus, memory, expected):
        self.assertEqual(
            expected,
            [
                (share.node, list(share.vcpus), share.memory)
                for share in binding.shares(nodes, vcpus, memory)
            ],
        )

    @hypothesis.given(nodes, st.integers(1, 512), st.integers(1, 10**6))
    def test_all_of_it_as_evenly_as_can_be(self, nodes, vcpus, memory):
        shares = list(binding.shares(nodes, vcpus, memory))
        self.assertEqual(nodes, tuple(share.node for share in shares))
        given = [vcpu for share in shares for vcpu in share.vcpus]
        self.assertEqual(list(range(vcpus)), given)
        counts = [len(share.vcpus) for share in shares]
        self.assertLessEqual(max(counts) - min(counts), 1)
        self.assertEqual(sorted(counts, reverse=True), counts)
        whole = sum(share.memory for share in shares)
        self.assertLessEqual(memory, whole)
        self.assertLess(whole - memory, len(nodes))


class BindingTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.metadata = {'image_min_ram': '0'}
        self.before = dict(self.metadata)

    def bound(self, host='compute1'):
        return binding.Binding.of(self.metadata, host)

    def test_nothing_at_first(self):
        self.assertIsNone(self.bound())
        self.assertIsNone(binding.Binding.before(self.metadata, ID))

    @hypothesis.given(nodes)
    def test_it_reads_back_on_its_host_alone(self, nodes):
        metadata = {}
        bound = binding.Binding('compute1', nodes)
        binding.place(metadata, bound)
        self.assertEqual(bound, binding.Binding.of(metadata, 'compute1'))
        self.assertIsNone(binding.Binding.of(metadata, 'compute2'))
        self.assertIsNone(binding.Binding.of(metadata, None))
        self.assertLessEqual(max(map(len, metadata.values())), 255)

    def test_nothing_is_left_of_one_that_is_dropped(self):
        binding.place(self.metadata, HERE)
        binding.place(self.metadata, None)
        self.assertEqual(self.before, self.metadata)

    def test_a_move_and_its_revert(self):
        binding.place(self.metadata, HERE)
        before = dict(self.metadata)
        for new in (THERE, None):
            self.assertTrue(binding.replace(self.metadata, new, ID))
            self.assertEqual(new, self.bound('compute2'))
            self.assertIsNone(self.bound())
            self.assertEqual(HERE, binding.Binding.before(self.metadata, ID))
            self.assertTrue(binding.put_back(self.metadata, ID))
            self.assertEqual(before, self.metadata)

    def test_a_revert_to_nothing(self):
        self.assertTrue(binding.replace(self.metadata, THERE, ID))
        self.assertIsNone(binding.Binding.before(self.metadata, ID))
        self.assertTrue(binding.put_back(self.metadata, ID))
        self.assertEqual(self.before, self.metadata)

    def test_a_guest_that_never_was_bound_is_not_touched(self):
        self.assertFalse(binding.replace(self.metadata, None, ID))
        self.assertFalse(binding.put_back(self.metadata, ID))
        self.assertEqual(self.before, self.metadata)

    def test_only_once(self):
        binding.place(self.metadata, HERE)
        binding.replace(self.metadata, THERE, ID)
        binding.put_back(self.metadata, ID)
        self.assertFalse(binding.put_back(self.metadata, ID))
        self.assertEqual(HERE, self.bound())

    def test_what_another_migration_has_left_is_not_put_back(self):
        binding.place(self.metadata, HERE)
        binding.replace(self.metadata, THERE, 'another')
        self.assertIsNone(binding.Binding.before(self.metadata, ID))
        self.assertFalse(binding.put_back(self.metadata, ID))
        self.assertEqual(THERE, self.bound('compute2'))

    def test_it_outlives_the_move_and_what_was_before_does_not(self):
        MOVE.store(self.metadata)
        binding.place(self.metadata, HERE)
        binding.replace(self.metadata, THERE, ID)
        move.forget(self.metadata)
        self.assertEqual(THERE, self.bound('compute2'))
        self.assertFalse(binding.put_back(self.metadata, ID))

    def test_the_move_is_not_mistaken_for_it(self):
        binding.place(self.metadata, HERE)
        binding.replace(self.metadata, THERE, ID)
        self.assertIsNone(move.Move.of(self.metadata))
        MOVE.store(self.metadata)
        self.assertEqual(MOVE, move.Move.of(self.metadata))
        self.assertEqual(HERE, binding.Binding.before(self.metadata, ID))
