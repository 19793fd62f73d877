# SPDX-License-Identifier: Apache-2.0
"""A checkpoint that was taken home is fetched where it is not whole."""

import pathlib
from unittest import mock

import ddt
import fixtures
from nova import context
from nova import exception
from nova import objects
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import move
from nova_numa_migrate import rpc
from nova_numa_migrate.checkpoint import digest
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.checkpoint import store
from nova_numa_migrate.checkpoint import transport
from nova_numa_migrate.virt import driver
from nova_numa_migrate.virt import homecoming
from nova_numa_migrate.virt import second_copy
from tests.unit import patching

HOME = '10.1.0.11'


class SecondCopyTestCase(patching.PatchingTestCase):
    def setUp(self):
        super().setUp()
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.driver = mock.create_autospec(
            driver.NumaLibvirtDriver, instance=True
        )
        self.driver.checkpoints = store.CheckpointStore(root)
        self.driver.get_host_ip_addr.return_value = HOME
        self.image = root / f'{uuids.instance}.save'
        self.image.write_text('memory')
        self.digest = digest.of_file(self.image)
        self.context = context.RequestContext('user', 'project')
        self.instance = objects.Instance(
            uuid=uuids.instance, system_metadata={}
        )
        self.remember()

    def remember(self, state=move.State.HOMEWARD):
        move.Move(
            uuids.migration,
            hint.NodeMap((3, 2)),
            hint.CheckpointMode.REQUIRED,
            state,
            self.digest,
            move.Disks.SHARED,
            HOME,
        ).store(self.instance.system_metadata)


@ddt.ddt
class RequireTestCase(SecondCopyTestCase):
    def setUp(self):
        super().setUp()
        self.driver.peers = mock.create_autospec(
            rpc.NumaComputeAPI, instance=True
        )
        self.fetch = self.driver.peers.send_checkpoint
        self.fetch.side_effect = lambda *_: self.image.write_text('memory')
        self.patch(
            objects.Migration,
            'get_by_uuid',
            return_value=objects.Migration(
                uuid=uuids.migration, dest_compute='compute2'
            ),
        )
        for name in ('event_start', 'event_finish_with_failure'):
            self.patch(objects.InstanceActionEvent, name)

    def require(self):
        return second_copy.require(
            self.driver, self.context, self.instance, self.digest
        )

    def spoil(self, content):
        if content is None:
            self.image.unlink()
        else:
            self.image.write_text(content)

    def test_it_is_whole(self):
        self.assertEqual('', self.require())
        self.fetch.assert_not_called()

    @ddt.data(None, '', 'mem', 'memorx')
    def test_it_is_fetched(self, content):
        self.spoil(content)
        self.assertEqual('', self.require())
        self.fetch.assert_called_once_with(
            self.context, 'compute2', self.instance, uuids.migration
        )

    @ddt.data(None, 'mem')
    def test_it_cannot_be_fetched(self, content):
        self.spoil(content)
        self.fetch.side_effect = rpc.Unanswered(reason='no power')
        error = self.assertRaises(homecoming.Kept, self.require)
        for told in (str(self.image), 'no power'):
            self.assertIn(told, str(error))
        for told in ('on host compute2', 'openstack server reboot --hard'):
            # What Nova leaves of it in a fault.
            self.assertIn(told, str(error)[:255])

    def test_what_comes_is_no_better(self):
        self.spoil('mem')
        self.fetch.side_effect = None
        error = self.assertRaises(homecoming.Kept, self.require)
        self.assertIn('is damaged or incomplete', str(error))

    @ddt.data(move.State.SAVED, move.State.RETURNING)
    def test_any_other_is_here_or_nowhere(self, state):
        self.remember(state)
        self.assertEqual(self.digest, self.require())
        self.image.unlink()
        error = self.assertRaises(exception.MigrationError, self.require)
        self.assertNotIsInstance(error, homecoming.Kept)
        self.fetch.assert_not_called()


class SendTestCase(SecondCopyTestCase):
    def setUp(self):
        super().setUp()
        self.driver.transport = mock.create_autospec(
            transport.Transport, instance=True
        )

    def send(self, migration=uuids.migration, digest=None):
        self.driver.checkpoints.record(
            uuids.instance,
            journal.Journal(
                migration, journal.Step.SENT, digest or self.digest
            ),
        )
        second_copy.send(self.driver, self.instance, uuids.migration)

    def test_to_its_source(self):
        self.send()
        self.driver.transport.send.assert_called_once_with(self.image, HOME)

    def test_not_another_one(self):
        for other in ({'migration': uuids.later}, {'digest': 'other'}):
            self.assertRaises(exception.MigrationError, self.send, **other)
        self.driver.transport.send.assert_not_called()
