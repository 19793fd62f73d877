# SPDX-License-Identifier: Apache-2.0
"""Of which disks a destination may say that a move has brought them."""

import pathlib
import types

import ddt
import fixtures
from nova import objects
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.checkpoint import store
from nova_numa_migrate.virt import awaited

Step = journal.Step


@ddt.ddt
class AwaitedTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.flags(instances_path=str(root / 'instances'))
        self.store = store.CheckpointStore(root / 'checkpoints')
        self.store.prepare()
        self.driver = types.SimpleNamespace(checkpoints=self.store)
        self.instance = objects.Instance(uuid=uuids.instance)
        self.path = root / 'instances' / uuids.instance

    def expect(self, migration=uuids.migration):
        awaited.expect(self.driver, self.instance, migration)

    def expect_no_more(self):
        awaited.expect_no_more(self.driver, self.instance)

    def journal(self):
        return self.store.journal(uuids.instance)

    def test_nothing_of_it_is_here(self):
        self.expect()
        self.assertEqual(
            journal.Journal(uuids.migration, Step.AWAITED), self.journal()
        )
        self.assertTrue(self.store.awaits(uuids.instance))

    @ddt.data('', '_resize')
    def test_its_directory_is_here(self, suffix):
        """Of a file system that its source has, too, or of another move."""
        self.path.with_name(f'{self.path.name}{suffix}').mkdir(parents=True)
        self.expect()
        self.assertIsNone(self.journal())

    def test_what_another_move_has_brought_is_no_more_than_that(self):
        self.expect(uuids.earlier)
        self.path.mkdir(parents=True)
        self.expect()
        self.assertEqual(uuids.migration, self.journal().migration)
        # And is known as long as it is there.
        self.expect_no_more()
        self.assertTrue(self.store.awaits(uuids.instance))

    def test_what_another_journal_says_stays(self):
        before = journal.Journal(uuids.earlier, Step.RESTORING)
        self.store.record(uuids.instance, before)
        self.path.mkdir(parents=True)
        self.expect()
        self.expect_no_more()
        self.assertEqual(before, self.journal())

    def test_it_is_not_asked_to_come(self):
        self.expect_no_more()
        self.expect()
        self.expect_no_more()
        self.assertIsNone(self.journal())

    def test_what_came_is_removed(self):
        self.path.mkdir(parents=True)
        (self.path / 'disk').touch()
        awaited.remove(self.instance)
        self.assertFalse(self.path.exists())
        awaited.remove(self.instance)
