# SPDX-License-Identifier: Apache-2.0
"""A guest does not get away: the way back from each step."""

import contextlib
from unittest import mock

import ddt
from nova import exception
from nova import objects
from nova import test
from nova.compute import power_state
from nova.virt.libvirt import driver as libvirt_driver
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.checkpoint.demand import Demand
from nova_numa_migrate.virt import interrupted
from nova_numa_migrate.virt import source
from tests.unit.virt import departure_base

Step = journal.Step


@ddt.ddt
class WayBackTestCase(departure_base.DepartureTestCase):
    def test_before_the_save_nothing_has_happened(self):
        self.failing = {'before'}
        self.rolled_back()
        self.assertEqual(['before', 'withdraw'], self.names())

    def test_a_disk_that_cannot_be_made_whole_stops_nothing(self):
        self.whole.side_effect = departure_base.Failure('vdb')
        self.assertIn('vdb', self.rolled_back())
        self.assertEqual(['withdraw'], self.names())

    def test_novas_own_refusal_comes_through(self):
        refusal = exception.InstanceFaultRollback(
            departure_base.Failure('no room')
        )
        error = self.assertRaises(
            exception.InstanceFaultRollback,
            self.departure.run,
            mock.Mock(),
            mock.Mock(side_effect=refusal),
        )
        self.assertIs(refusal, error)
        self.driver.bring_back.assert_not_called()

    def test_nothing_is_known_of_it_when_the_next_request_may_come(self):
        self.a_move().store(self.instance.system_metadata)
        self.failing = {'before'}
        self.rolled_back()
        self.assertEqual({}, self.instance.system_metadata)
        self.drop.assert_called_once_with()

    def test_a_claim_that_cannot_be_given_up_hides_no_rollback(self):
        """Nova would take the server for one whose guest is lost."""
        self.drop.side_effect = departure_base.Failure('no answer')
        self.instance.migration_context = objects.MigrationContext()
        self.instance.obj_reset_changes()
        self.failing = {'before'}
        with self.assertLogs(source.LOG.logger, 'ERROR'):
            self.assertIn('before', self.rolled_back())
        # Saved with the server's reset.
        self.assertIsNone(self.instance.migration_context)
        self.assertIn('migration_context', self.instance.obj_what_changed())

    def test_a_destination_that_cannot_go_on_with_it(self):
        self.refusals = ['Host compute2 cannot take the guest: no node']
        text = self.rolled_back()
        self.assertIn('cannot take the guest: no node', text)
        self.assertIn('The guest runs on', text)
        self.assertEqual(['before', 'check', 'withdraw'], self.names())
        self.assertEqual([], list(self.root.iterdir()))

    def test_a_source_without_room_for_the_checkpoint(self):
        self.driver.demand_of.return_value = Demand('', '', 0, 1 << 50)
        text = self.rolled_back()
        self.assertIn('the checkpoint may take', text)
        self.assertIn(str(self.root), text)
        self.assertEqual([], list(self.root.iterdir()))

    def test_a_failed_save_leaves_the_running_guest_alone(self):
        self.failing = {'save'}
        self.image.write_text('half')
        text = self.rolled_back()
        self.assertIn('numa_migrate_checkpoint failed', text)
        self.assertEqual(['before', 'check', 'save', 'withdraw'], self.names())
        self.assertEqual([], list(self.root.iterdir()))
        self.assertIsNone(self.state())

    @ddt.data(
        ('take', ['before', 'check', 'save', 'take']),
        ('send', ['before', 'check', 'save', 'take', 'send']),
        ('copy', ['before', 'check', 'save', 'take', 'send', 'copy']),
        (
            'swap',
            ['before', 'check', 'save', 'take', 'send', 'copy', 'swap'],
        ),
    )
    @ddt.unpack
    def test_a_saved_guest_goes_on_here_with_its_state(self, failing, before):
        self.failing = {failing}
        text = self.rolled_back()
        self.assertIn(failing, text)
        self.assertEqual(before, self.names()[: len(before)])
        self.assertEqual(
            {'revert', 'withdraw'}, set(self.names()[len(before) :])
        )
        self.driver.transport.withdraw.assert_called_once_with(
            self.image, departure_base.DEST
        )
        self.assertEqual([], list(self.root.iterdir()))
        self.assertIsNone(self.state())

    def test_a_copy_that_cannot_be_withdrawn_does_not_keep_the_guest_off(self):
        self.failing = {'send', 'withdraw'}
        self.assertIn('send', self.rolled_back())
        self.assertIn('revert', self.names())
        self.assertEqual([], list(self.root.iterdir()))

    def test_a_checkpoint_that_is_refused_here_as_well_is_kept(self):
        self.failing = {'send', 'revert'}
        self.assertRaises(departure_base.Failure, self.run_)
        self.assertEqual('memory', self.image.read_text())
        self.assertIs(
            Step.SAVED, self.driver.checkpoints.journal(uuids.instance).step
        )

    def test_why_it_is_kept_is_told_on_a_full_disk(self):
        self.failing = {'send', 'revert'}
        write = journal.Journal.write
        kept = []

        def full(entry, path):
            if 'revert' in self.names():
                kept.append(entry.step)
                raise OSError(28, 'No space left on device')
            write(entry, path)

        with mock.patch.object(journal.Journal, 'write', new=full):
            self.assertRaises(departure_base.Failure, self.run_)
        self.assertEqual([Step.SAVED], kept)
        self.assertEqual('memory', self.image.read_text())

    def _stop_in_the_save(self, ending):
        self.failing = {'save'}
        self.image.write_text('memory')
        self.guest.get_power_state.side_effect = [
            power_state.RUNNING,
            power_state.SHUTDOWN,
        ]
        self.patch(interrupted, 'ending', side_effect=ending)

    def test_a_guest_that_is_lost_in_the_save(self):
        self._stop_in_the_save([interrupted.Ending.LOST])
        self.rolled_back()
        self.assertNotIn('revert', self.names())
        self.assertIn('withdraw', self.names())
        self.assertEqual([], list(self.root.iterdir()))

    def test_a_guest_that_is_whole_though_the_save_failed(self):
        self._stop_in_the_save([interrupted.Ending.SAVED])
        self.rolled_back()
        self.assertIn('revert', self.names())
        self.assertEqual([], list(self.root.iterdir()))

    def test_one_of_which_libvirt_does_not_tell_is_kept(self):
        self._stop_in_the_save(departure_base.Failure('no answer'))
        self.assertRaises(departure_base.Failure, self.run_)
        self.assertNotIn('revert', self.names())
        self.assertEqual('memory', self.image.read_text())

    @contextlib.contextmanager
    def _full_at(self, step):
        write = journal.Journal.write

        def full(entry, path):
            if entry.step is step:
                raise OSError(28, 'No space left on device')
            write(entry, path)

        with mock.patch.object(journal.Journal, 'write', new=full):
            yield

    def test_the_last_entry_cannot_be_written(self):
        with self._full_at(Step.SENT):
            self.run_()
        self.assertNotIn('revert', self.names())
        self.assertIs(move.State.SAVED, self.state())
        self.assertIs(
            Step.SAVED, self.driver.checkpoints.journal(uuids.instance).step
        )

    def test_an_entry_cannot_be_written(self):
        with self._full_at(Step.SAVED):
            self.assertIn('No space left', self.rolled_back())
        self.assertIn('revert', self.names())
        self.assertEqual([], list(self.root.iterdir()))
        self.assertIsNone(self.state())


class NovasDriverTestCase(test.NoDBTestCase):
    def test_novas_way_back_takes_what_it_is_given(self):
        novas = libvirt_driver.LibvirtDriver.finish_revert_migration
        names = novas.__code__.co_varnames[1:6]
        self.assertEqual(
            (
                'context',
                'instance',
                'network_info',
                'migration',
                'block_device_info',
            ),
            names,
        )
