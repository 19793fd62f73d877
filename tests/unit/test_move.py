# SPDX-License-Identifier: Apache-2.0
"""What an instance's system metadata remembers of a move."""

import hypothesis
from hypothesis import strategies as st
import testtools

from nova_numa_migrate import hint
from nova_numa_migrate import move
from nova_numa_migrate.placement import report

MIGRATION = '7a6d5c1e-0000-4000-8000-000000000001'
MOVE = move.Move(MIGRATION, hint.NodeMap((3, 2)), hint.CheckpointMode.REQUIRED)

moves = st.builds(
    move.Move,
    st.uuids().map(str),
    st.lists(
        st.integers(0, hint.MAX_ID), min_size=1, max_size=128, unique=True
    ).map(lambda nodes: hint.NodeMap(tuple(nodes))),
    st.sampled_from(hint.CheckpointMode),
    st.sampled_from(move.State),
    st.sampled_from(('', 'blake2b-64m:' + 64 * '0')),
    st.sampled_from(move.Disks),
    st.sampled_from(('', '2001:db8::1')),
    st.booleans(),
    st.sampled_from(('', '[{"type": "raw", "path": "/i/disk"}]')),
)


class MoveTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.metadata = {'image_min_ram': '0'}

    def test_the_source_has_not_decided_at_first(self):
        self.assertIs(move.State.OPEN, MOVE.state)

    def test_any_migrations_or_the_given_ones(self):
        MOVE.store(self.metadata)
        self.assertEqual(MOVE, move.Move.of(self.metadata))
        self.assertEqual(MOVE, move.Move.of(self.metadata, MIGRATION))
        self.assertIsNone(move.Move.of(self.metadata, 'another'))
        self.assertIsNone(move.Move.of(self.metadata, ''))

    def test_none(self):
        self.assertIsNone(move.Move.of(self.metadata))
        self.assertIsNone(move.Move.of({move.MOVE_KEY: ''}))

    def test_with_state_changes_the_state_alone(self):
        saved = MOVE.with_state(move.State.SAVED)
        self.assertEqual(
            move.Move(
                MIGRATION,
                MOVE.node_map,
                hint.CheckpointMode.REQUIRED,
                move.State.SAVED,
            ),
            saved,
        )
        self.assertIs(move.State.OPEN, MOVE.state)

    def test_saved_says_which_checkpoint(self):
        saved = MOVE.saved('digest', move.Disks.SHARED, '10.1.0.11')
        self.assertEqual(
            (move.State.SAVED, 'digest', move.Disks.SHARED, '10.1.0.11'),
            (saved.state, saved.digest, saved.disks, saved.home),
        )
        home = saved.homeward('newer')
        self.assertEqual(
            (move.State.HOMEWARD, 'newer', move.Disks.SHARED, '10.1.0.11'),
            (home.state, home.digest, home.disks, home.home),
        )

    def test_the_later_one_counts(self):
        MOVE.store(self.metadata)
        MOVE.with_state(move.State.NONE).store(self.metadata)
        self.assertIs(
            move.State.NONE, move.Move.of(self.metadata, MIGRATION).state
        )

    def test_forget_takes_the_placement_too_and_nothing_else(self):
        MOVE.store(self.metadata)
        report.CellPlacement(0, 3, {3: 1}).store(self.metadata)
        report.CellPlacement(1, 2, {n: 10**9 for n in range(40)}).store(
            self.metadata
        )
        self.assertGreater(len(self.metadata), 4)
        move.forget(self.metadata)
        self.assertEqual({'image_min_ram': '0'}, self.metadata)
        move.forget(self.metadata)

    @hypothesis.given(moves)
    def test_what_is_stored_reads_back_and_fits(self, a_move):
        # libvirt takes guests of up to 128 cells.
        metadata = {}
        a_move.store(metadata)
        self.assertEqual(a_move, move.Move.of(metadata))
        self.assertLessEqual(max(map(len, metadata.values())), 255)

    def test_the_largest_guest_fits(self):
        largest = move.Move(
            MIGRATION,
            hint.NodeMap(tuple(range(1023, 1023 - 128, -1))),
            hint.CheckpointMode.PREFERRED,
        )
        metadata = {}
        largest.store(metadata)
        self.assertEqual(largest, move.Move.of(metadata))
        self.assertLessEqual(max(map(len, metadata.values())), 255)
