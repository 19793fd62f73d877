# SPDX-License-Identifier: Apache-2.0
"""What other hosts may have done with the checkpoints here."""

import pathlib
from unittest import mock

import fixtures
from nova import objects
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.checkpoint import store
from nova_numa_migrate.compute import endpoint
from nova_numa_migrate.compute import sweep


class CheckpointTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        checkpoints = store.CheckpointStore(self.root)
        self.endpoint = endpoint.NumaEndpoint(
            mock.Mock(
                spec=['driver'],
                driver=mock.Mock(
                    spec=['checkpoints', 'send_again'],
                    checkpoints=checkpoints,
                ),
            )
        )
        # The disks of one that was awaited go as in a sweep.
        patcher = mock.patch.object(
            sweep, 'discard', autospec=True, side_effect=sweep.discard
        )
        self.discard = patcher.start()
        self.addCleanup(patcher.stop)
        checkpoints.image(uuids.instance).touch()
        checkpoints.record(
            uuids.instance,
            journal.Journal(uuids.migration, journal.Step.SENT),
        )

    def left_after(self, migration, instance=uuids.instance):
        self.endpoint.discard_checkpoint(
            mock.sentinel.context, objects.Instance(uuid=instance), migration
        )
        return len(list(self.root.iterdir()))

    def test_that_of_the_migration(self):
        self.assertEqual(0, self.left_after(uuids.migration))
        self.discard.assert_called_once_with(
            mock.ANY, mock.sentinel.context, uuids.instance
        )

    def test_not_that_of_another_migration(self):
        self.assertEqual(2, self.left_after(uuids.earlier))

    def test_not_that_of_another_server(self):
        self.assertEqual(2, self.left_after(uuids.migration, uuids.other))

    def test_it_is_kept(self):
        keep = self.useFixture(
            fixtures.MockPatchObject(store, 'sync', autospec=True)
        ).mock
        self.endpoint.sync_checkpoint(
            mock.sentinel.context, objects.Instance(uuid=uuids.instance)
        )
        image = self.root / f'{uuids.instance}.save'
        self.assertEqual(
            [mock.call(image), mock.call(self.root)], keep.mock_calls
        )

    def test_it_is_sent_again(self):
        instance = objects.Instance(uuid=uuids.instance)
        self.endpoint.send_checkpoint(
            mock.sentinel.context, instance, uuids.migration
        )
        self.endpoint._manager.driver.send_again.assert_called_once_with(
            instance, uuids.migration
        )
