# SPDX-License-Identifier: Apache-2.0
"""The directory of the checkpoints, on real files."""

import os
import pathlib
import stat
from unittest import mock

import fixtures
import testtools

from nova_numa_migrate import exception
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.checkpoint import store

JOURNAL = journal.Journal('m1', journal.Step.SENT)


class StoreTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        parent = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.root = parent / 'a' / 'checkpoints'
        self.store = store.CheckpointStore(self.root)

    def mode(self):
        return stat.S_IMODE(self.root.stat().st_mode)

    def test_private_from_the_start_whatever_the_umask(self):
        self.addCleanup(os.umask, os.umask(0))
        modes = []
        with mock.patch.object(
            os,
            'chmod',
            autospec=True,
            side_effect=lambda *_, **__: modes.append(self.mode()),
        ):
            self.store.prepare()
        self.assertEqual([0o700], modes)

    def test_others_lose_their_rights(self):
        self.root.mkdir(parents=True)
        self.root.chmod(0o777)
        self.store.prepare()
        self.assertEqual(0o700, self.mode())

    def test_a_directory_is_of_one_host(self):
        self.store.prepare()
        for _ in range(2):
            self.store.claim('h1')
        error = self.assertRaises(
            exception.SharedCheckpoints, self.store.claim, 'h2'
        )
        self.assertIn('is that of host h1, and host h2 needs', str(error))
        self.assertEqual(set(), self.store.instances())

    def test_what_is_there_stays(self):
        self.store.prepare()
        self.store.record('u1', JOURNAL)
        self.store.prepare()
        self.assertEqual(JOURNAL, self.store.journal('u1'))

    def test_only_the_journal_of_a_migration(self):
        self.store.prepare()
        self.assertIsNone(self.store.journal('u1', JOURNAL.migration))
        self.store.record('u1', JOURNAL)
        self.assertEqual(JOURNAL, self.store.journal('u1', JOURNAL.migration))
        self.assertIsNone(self.store.journal('u1', 'another'))

    def test_the_names_that_operators_see(self):
        self.store.prepare()
        self.store.record('u1', JOURNAL)
        self.assertEqual(self.root / 'u1.save', self.store.image('u1'))
        self.assertEqual(['u1.json'], os.listdir(self.root))

    def test_each_instance_has_its_own(self):
        self.store.prepare()
        self.store.record('u1', JOURNAL)
        self.assertIsNone(self.store.journal('u2'))
        self.store.image('u2').touch()
        self.store.discard('u1')
        self.assertEqual(['u2.save'], os.listdir(self.root))

    def test_the_file_goes_before_its_journal(self):
        self.store.prepare()
        self.store.record('u1', JOURNAL)
        self.store.image('u1').touch()
        gone = []
        unlink = os.unlink

        def unlinked(path):
            gone.append(pathlib.Path(path).name)
            unlink(path)

        with mock.patch.object(
            os, 'unlink', autospec=True, side_effect=unlinked
        ):
            self.store.discard('u1')
        self.assertEqual(['u1.save', 'u1.spent', 'u1.new', 'u1.json'], gone)
        self.assertEqual([], os.listdir(self.root))

    def test_one_that_is_spent(self):
        self.store.prepare()
        self.store.image('u1').write_text('memory')
        self.assertFalse(self.store.is_spent('u1'))
        self.store.spend('u1')
        self.store.spend('u1')
        self.assertTrue(self.store.is_spent('u1'))
        self.assertFalse(self.store.image('u1').exists())
        self.assertEqual({'u1'}, self.store.instances())
        self.store.unspend('u1')
        self.assertFalse(self.store.is_spent('u1'))
        self.assertEqual('memory', self.store.image('u1').read_text())

    def synced(self, call):
        """What a call has outlive the host's power, in that order."""
        with mock.patch.object(store, 'sync', autospec=True) as sync:
            call('u1')
        return [path.name for ((path,), _) in sync.call_args_list]

    def test_what_outlives_the_power(self):
        self.store.prepare()
        self.store.image('u1').touch()
        root = self.root.name
        self.assertEqual(['u1.save', root], self.synced(self.store.keep))
        self.assertEqual([root], self.synced(self.store.spend))
        self.assertEqual([root], self.synced(self.store.unspend))

    def test_what_is_not_here_is_not_kept(self):
        self.store.prepare()
        self.assertRaises(FileNotFoundError, self.store.keep, 'u1')

    def test_only_the_newest_counts(self):
        self.store.prepare()
        self.store.image('u1').touch()
        self.store.spend('u1')
        self.store.image('u1').touch()
        self.assertFalse(self.store.is_spent('u1'))
        self.store.discard('u1')
        self.assertEqual([], os.listdir(self.root))

    def test_it_cannot_be_spent_when_it_is_not_there(self):
        self.store.prepare()
        self.assertRaises(OSError, self.store.spend, 'u1')

    def test_what_rsync_has_begun_goes_with_it(self):
        self.store.prepare()
        (self.root / '.u1.save.Yb3x9Q').write_text('half of the memory')
        (self.root / '.u2.save.Yb3x9Q').touch()
        self.assertEqual({'u1', 'u2'}, self.store.instances())
        self.store.discard('u1')
        self.assertEqual({'u2'}, self.store.instances())

    def test_nothing_to_discard(self):
        self.store.discard('u1')
        self.store.prepare()
        self.store.discard('u1')
        self.assertEqual([], os.listdir(self.root))
