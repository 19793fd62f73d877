# SPDX-License-Identifier: Apache-2.0
"""A guest is taken home by a revert, or goes on where it is."""

import contextlib
import pathlib
from unittest import mock

import ddt
import fixtures
from nova import context
from nova import exception
from nova import objects
import nova.conf
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import move
from nova_numa_migrate import privsep
from nova_numa_migrate import rpc
from nova_numa_migrate.checkpoint import digest
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.checkpoint import store
from nova_numa_migrate.checkpoint import transport
from nova_numa_migrate.conf import numa_migrate
from nova_numa_migrate.virt import brought
from nova_numa_migrate.virt import driver
from nova_numa_migrate.virt import homeward
from nova_numa_migrate.virt import interrupted
from tests.unit import patching

CONF = nova.conf.CONF
HOME = '10.1.0.11'


class Failure(Exception):
    """Any part's failure."""


class HomewardTestCase(patching.PatchingTestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.driver = mock.create_autospec(
            driver.NumaLibvirtDriver, instance=True
        )
        self.driver.checkpoints = store.CheckpointStore(self.root)
        self.driver.transport = mock.create_autospec(
            transport.Transport, instance=True
        )
        self.driver._host = mock.create_autospec(
            libvirt_host.Host, instance=True
        )
        self.libvirt = mock.Mock(spec=['restoreFlags'])
        self.driver._host.get_connection.return_value = self.libvirt
        self.guest = mock.Mock(spec=['_domain', 'resume'])
        self.driver._host.get_guest.return_value = self.guest
        self.driver.is_gone.return_value = False
        self.driver.stands_still.return_value = False
        self.driver.slots = contextlib.nullcontext()
        numa_migrate.register_opts(CONF)
        self.context = context.RequestContext('user', 'project')
        self.instance = objects.Instance(
            uuid=uuids.instance, system_metadata={}
        )
        self.save = self.patch(objects.Instance, 'save')
        self.useFixture(
            fixtures.MockPatchObject(
                libvirt_guest, 'libvirt', mock.Mock(VIR_DOMAIN_SAVE_PAUSED=4)
            )
        )
        self.image = self.root / f'{uuids.instance}.save'

    def a_move(
        self,
        state=move.State.RESTORED,
        at_a_revert=move.Disks.SHARED,
        in_place=False,
    ):
        return move.Move(
            uuids.migration,
            hint.NodeMap((3, 2)),
            hint.CheckpointMode.REQUIRED,
            state,
            'older',
            at_a_revert,
            HOME,
            in_place,
        )

    def assert_goes_on(self, restored):
        self.assertEqual(
            [mock.call(str(self.image), None, 4)] if restored else [],
            self.libvirt.restoreFlags.mock_calls,
        )
        self.assertEqual(int(restored), self.guest.resume.call_count)
        self.driver.transport.withdraw.assert_called_once_with(
            self.image, HOME
        )
        self.assertEqual([], list(self.root.iterdir()))


@ddt.ddt
class GoesWithStateTestCase(HomewardTestCase):
    def goes(self, *args):
        return homeward.goes_with_state(
            self.driver, self.instance, self.a_move(*args)
        )

    # Or was left so by a revert that was called off.
    @ddt.data(move.State.RESTORED, move.State.HOMEWARD)
    def test_with_disks_that_it_has_written_to(self, state):
        self.assertTrue(self.goes(state))
        self.assertTrue(self.goes(state, move.Disks.MIXED))

    @ddt.data(
        move.State.OPEN,
        move.State.SAVED,
        move.State.RETURNING,
        move.State.NONE,
    )
    def test_not_one_that_has_not_come_with_it(self, state):
        self.assertFalse(self.goes(state))

    def test_not_where_nova_takes_files_back(self):
        self.assertFalse(self.goes(move.State.RESTORED, move.Disks.KEPT))

    def test_not_one_that_does_not_run(self):
        self.driver.is_gone.return_value = True
        self.assertFalse(self.goes())


class SendTestCase(HomewardTestCase):
    def setUp(self):
        super().setUp()
        self.driver.user_and_group = (42, 43)
        self.driver.peers = mock.create_autospec(
            rpc.NumaComputeAPI, instance=True
        )
        self.sync = self.driver.peers.sync_checkpoint
        self.patch(
            objects.Migration,
            'get_by_uuid',
            return_value=objects.Migration(source_compute='compute1'),
        )
        self.domain = mock.Mock(spec=['saveFlags', 'abortJob'])
        self.domain.saveFlags.side_effect = self.saved
        self.guest._domain = self.domain
        self.patch(privsep, 'take_over')
        for name in ('event_start', 'event_finish_with_failure'):
            self.patch(objects.InstanceActionEvent, name)

    def saved(self, path, xml, flags):
        self.driver.is_gone.return_value = True
        pathlib.Path(path).write_text('memory')

    def send(self, *args):
        homeward.send(
            self.driver, self.context, self.instance, self.a_move(*args)
        )

    def stored(self):
        return move.Move.of(self.instance.system_metadata)

    def test_it_is_on_its_way(self):
        self.send()
        taken = digest.of_file(self.image)
        self.assertEqual(self.a_move().homeward(taken), self.stored())
        self.assertEqual(1, self.save.call_count)
        self.driver.transport.send.assert_called_once_with(self.image, HOME)
        # Until the source says that it has the guest.
        self.assertTrue(self.image.exists())
        self.assertEqual(
            journal.Journal(uuids.migration, journal.Step.SENT, taken),
            self.driver.checkpoints.journal(uuids.instance),
        )
        self.libvirt.restoreFlags.assert_not_called()

    def test_its_source_keeps_it_first(self):
        def synced(*_):
            self.assertIsNone(self.stored())
            self.driver.transport.send.assert_called_once()

        self.sync.side_effect = synced
        self.send()
        self.sync.assert_called_once_with(
            self.context, 'compute1', self.instance
        )

    def test_its_source_cannot_keep_it(self):
        self.sync.side_effect = exception.MigrationPreCheckError(reason='full')
        self.assertRaises(exception.MigrationPreCheckError, self.send)
        self.assert_goes_on(restored=True)
        self.save.assert_not_called()

    def test_its_source_cannot_be_asked(self):
        self.sync.side_effect = rpc.Unanswered(reason='too old')
        with self.assertLogs(homeward.LOG.logger, 'WARNING'):
            self.send()
        self.assertIs(move.State.HOMEWARD, self.stored().state)

    def test_one_that_stays_is_kept_here(self):
        self.driver.get_host_ip_addr.return_value = HOME
        sync = self.patch(journal, 'sync')
        self.send(move.State.RESTORED, move.Disks.SHARED, True)
        self.sync.assert_not_called()
        self.driver.transport.send.assert_not_called()
        # The directory with its journal.
        self.assertEqual(mock.call(self.image), sync.mock_calls[1])
        self.assertEqual(mock.call(self.root), sync.mock_calls[2])

    def test_the_save_fails(self):
        self.domain.saveFlags.side_effect = Failure
        self.assertRaises(exception.MigrationError, self.send)
        self.assert_goes_on(restored=False)

    def test_it_is_not_sent(self):
        self.driver.transport.send.side_effect = Failure
        self.assertRaises(exception.MigrationError, self.send)
        self.assert_goes_on(restored=True)

    def test_its_files_go_with_it(self):
        bring = self.patch(brought, 'bring')
        mixed = move.State.RESTORED, move.Disks.MIXED
        self.send(*mixed)
        bring.assert_called_once_with(
            self.driver, self.context, self.instance, self.a_move(*mixed)
        )
        self.assertIs(move.State.HOMEWARD, self.stored().state)

    def test_its_files_do_not_arrive(self):
        self.patch(brought, 'bring', side_effect=Failure)
        withdraw = self.patch(brought, 'withdraw')
        mixed = move.State.RESTORED, move.Disks.MIXED
        self.assertRaises(Failure, self.send, *mixed)
        self.assert_goes_on(restored=True)
        withdraw.assert_called_once_with(
            self.driver, self.instance, self.a_move(*mixed)
        )
        self.save.assert_not_called()

    def test_it_goes_on_when_its_checkpoint_is_spent(self):
        spent = []
        self.guest.resume.side_effect = lambda: spent.append(
            self.driver.checkpoints.is_spent(uuids.instance)
        )
        self.driver.transport.send.side_effect = Failure
        self.assertRaises(exception.MigrationError, self.send)
        self.assertEqual([True], spent)

    def test_nobody_would_know(self):
        self.save.side_effect = Failure
        self.assertRaises(Failure, self.send)
        self.assert_goes_on(restored=True)
        self.assertIs(move.State.RESTORED, self.stored().state)

    def test_libvirt_does_not_take_it_back_either(self):
        self.save.side_effect = Failure
        self.libvirt.restoreFlags.side_effect = ValueError
        self.assertRaises(ValueError, self.send)
        self.assertTrue(self.image.exists())
        self.driver.transport.withdraw.assert_not_called()


@ddt.ddt
class StayTestCase(HomewardTestCase):
    def stay(self, ending):
        self.driver.checkpoints.record(
            uuids.instance,
            journal.Journal(uuids.migration, journal.Step.SAVING),
        )
        self.image.write_text('memory')
        self.driver.is_gone.return_value = (
            ending is not interrupted.Ending.HERE
        )
        self.patch(interrupted, 'ending', return_value=ending)
        homeward.stay(self.driver, self.instance, self.a_move())

    def test_it_runs(self):
        self.stay(interrupted.Ending.HERE)
        self.assert_goes_on(restored=False)

    def test_it_was_saved(self):
        self.stay(interrupted.Ending.SAVED)
        self.assert_goes_on(restored=True)

    @ddt.data(True, False)
    def test_it_was_about_to_go_on(self, is_spent):
        goes_on = self.patch(interrupted, 'goes_on')
        self.patch(store.CheckpointStore, 'is_spent', return_value=is_spent)
        self.driver.stands_still.return_value = True
        self.stay(interrupted.Ending.HERE)
        goes_on.assert_called_once_with(self.driver, self.instance)
        self.assert_goes_on(restored=False)

    def test_it_was_being_started(self):
        self.driver.stands_still.return_value = True

        def end(*_):
            self.driver.is_gone.return_value = True

        self.patch(interrupted, 'goes_on', side_effect=end)
        self.stay(interrupted.Ending.HERE)
        self.assert_goes_on(restored=True)

    def test_it_is_lost(self):
        self.stay(interrupted.Ending.LOST)
        self.libvirt.restoreFlags.assert_not_called()
        self.assertEqual([], list(self.root.iterdir()))
