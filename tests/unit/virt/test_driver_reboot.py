# SPDX-License-Identifier: Apache-2.0
"""Where the driver is entered when a guest that did not go on is rebooted."""

from unittest import mock

import ddt
from nova import exception as nova_exception
from nova.compute import power_state
from nova.compute import task_states
from nova.virt import hardware
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.virt import driver
from nova_numa_migrate.virt import homecoming
from nova_numa_migrate.virt import interrupted
from nova_numa_migrate.virt import second_copy
from tests.unit.virt import driver_base

Step = journal.Step


@ddt.ddt
class RebootTestCase(driver_base.DriverTestCase):
    """A guest that was saved, and that neither host could start."""

    def setUp(self):
        super().setUp()
        self.starting('finish_revert_migration')
        self.restore = self.expect_restore()
        for name in ('reboot', 'power_on'):
            self.replace(name, self.noting(name))
        self.peers = self.know_the_destination()
        self.address = self.patch(
            driver.NumaLibvirtDriver,
            'get_host_ip_addr',
            return_value=driver_base.HOME,
        )
        self.fetched = self.patch(
            second_copy, 'require', side_effect=lambda *args: args[-1]
        )
        self.gone = self.patch(
            driver.NumaLibvirtDriver, 'is_gone', return_value=True
        )
        self.info = self.patch(
            driver.NumaLibvirtDriver,
            'get_info',
            return_value=hardware.InstanceInfo(state=power_state.RUNNING),
        )

    def reboot(self, kind='HARD'):
        self.driver.reboot(
            self.context,
            self.instance,
            mock.sentinel.network_info,
            kind,
            block_device_info=mock.sentinel.disks,
            accel_info=[],
        )

    def assert_rebooted(self):
        self.restore.assert_not_called()
        self.assertEqual(['reboot'], self.names())

    @ddt.data(
        (move.State.OPEN, Step.SAVED),
        (move.State.SAVED, Step.SENT),
        (move.State.SAVED, Step.RESTORING),
        (move.State.RETURNING, Step.SENT),
        (move.State.HOMEWARD, Step.SAVING),
    )
    @ddt.unpack
    def test_it_goes_on(self, state, step):
        self.remember(state)
        self.checkpoint(step, digest='digest')
        self.reboot()
        self.assertEqual(['finish_revert_migration', 'restore'], self.names())
        self.assertEqual('digest', self.restore.call_args.args[5])
        stored = move.Move.of(self.instance.system_metadata)
        self.assertIs(move.State.RESTORED, stored.state)
        self.assertEqual([], self.left())

    @ddt.data(
        (move.State.RESTORED, Step.SENT),
        (move.State.NONE, Step.SENT),
        (move.State.SAVED, Step.SAVING),
        (move.State.SAVED, Step.AWAITED),
    )
    @ddt.unpack
    def test_it_has_gone_on_or_was_never_saved(self, state, step):
        self.remember(state)
        self.checkpoint(step)
        self.reboot()
        self.assert_rebooted()

    @ddt.data(True, False)
    def test_its_end_could_not_be_written_down(self, whole):
        self.patch(interrupted, 'is_whole', return_value=whole)
        self.remember(move.State.OPEN)
        self.checkpoint(Step.SAVING)
        self.assertIs(whole, self.driver.has_pending_state(self.instance))
        self.reboot()
        self.assertEqual(whole, 'restore' in self.names())
        self.assertNotEqual(whole, 'reboot' in self.names())

    def test_it_is_being_saved(self):
        self.gone.return_value = False
        self.patch(interrupted, 'is_whole', side_effect=AssertionError)
        self.remember(move.State.OPEN)
        self.checkpoint(Step.SAVING)
        self.assertFalse(self.driver.has_pending_state(self.instance))

    def test_another_migrations_checkpoint(self):
        self.remember()
        self.checkpoint(Step.SENT, uuids.earlier)
        self.reboot()
        self.assert_rebooted()

    def test_it_may_have_gone_on(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.driver.checkpoints.spend(uuids.instance)
        self.reboot()
        self.assert_rebooted()

    def test_there_is_none(self):
        self.reboot()
        self.assert_rebooted()

    def test_it_runs(self):
        self.gone.return_value = False
        self.remember()
        self.checkpoint(Step.SENT)
        self.reboot()
        self.assert_rebooted()

    def test_it_was_restored_and_has_not_run(self):
        """The service died before it had the guest go on."""
        self.gone.return_value = False
        self.info.return_value.state = power_state.PAUSED
        self.remember()
        self.checkpoint(Step.SENT)
        self.assertTrue(self.driver.has_pending_state(self.instance))
        self.taken_away.side_effect = self.noting('take_away')
        self.reboot()
        self.assertEqual(
            ['take_away', 'finish_revert_migration', 'restore'], self.names()
        )

    def test_it_is_paused_and_has_run(self):
        self.gone.return_value = False
        self.info.return_value.state = power_state.PAUSED
        self.remember()
        self.checkpoint(Step.SENT)
        self.driver.checkpoints.spend(uuids.instance)
        self.reboot()
        self.assert_rebooted()

    def test_one_that_fails_leaves_nothing_in_libvirt(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.restore.side_effect = driver_base.Failure('no port')
        self.taken_away.side_effect = [None, driver_base.Failure('no libvirt')]
        error = self.assertRaises(homecoming.Kept, self.reboot)
        self.assertIn('no port', str(error))
        self.assertEqual(2, self.taken_away.call_count)
        self.assertEqual(['.json', '.save'], self.left())

    def test_a_soft_reboot_is_for_guests_that_run(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.reboot('SOFT')
        self.assert_rebooted()

    def test_it_cannot_start_again(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.restore.side_effect = driver_base.Failure
        self.assertRaises(nova_exception.MigrationError, self.reboot)
        self.assertEqual(['.json', '.save'], self.left())
        stored = move.Move.of(self.instance.system_metadata)
        self.assertIs(move.State.SAVED, stored.state)

    def test_one_that_was_brought_home_and_is_not_here(self):
        self.remember(move.State.HOMEWARD)
        self.assertTrue(self.driver.has_pending_state(self.instance))
        self.reboot()
        self.fetched.assert_called_once_with(
            self.driver, self.context, self.instance, 'digest'
        )
        self.assertEqual(['finish_revert_migration', 'restore'], self.names())

    def assert_nothing_is_fetched(self):
        self.assertFalse(self.driver.has_pending_state(self.instance))
        self.reboot()
        self.assert_rebooted()

    def test_not_of_one_that_has_stayed(self):
        self.remember(move.State.HOMEWARD, in_place=True)
        self.assert_nothing_is_fetched()

    def test_not_of_one_that_may_have_gone_on(self):
        self.remember(move.State.HOMEWARD)
        self.checkpoint()
        self.driver.checkpoints.spend(uuids.instance)
        self.assert_nothing_is_fetched()

    def test_not_of_one_that_was_evacuated_from_there(self):
        self.address.return_value = '10.1.0.13'
        self.remember(move.State.HOMEWARD)
        self.assert_nothing_is_fetched()

    def test_not_of_one_whose_disks_were_deleted(self):
        """As a rebuild does."""
        self.instance.task_state = task_states.REBUILDING
        self.remember(move.State.HOMEWARD)
        self.checkpoint(Step.SENT)
        self.driver.delete_instance_files(self.instance)
        self.calls.clear()
        self.assertEqual([], self.left())
        self.assert_nothing_is_fetched()

    def test_the_move_is_known_as_long_as_it_is_pending(self):
        self.remember(move.State.RETURNING)
        self.checkpoint(Step.SENT)
        self.assertTrue(self.driver.has_pending_state(self.instance))
        self.gone.side_effect = nova_exception.HypervisorUnavailable
        self.assertTrue(self.driver.has_pending_state(self.instance))
        self.image.unlink()
        self.assertFalse(self.driver.has_pending_state(self.instance))

    def test_what_is_said_of_one_that_waits(self):
        error = self.driver.kept('the service ended')
        self.assertIsInstance(error, nova_exception.MigrationError)
        # Nova cuts it off there.
        self.assertIn('reboot --hard', str(error)[:255])
        self.assertIn('the service ended', str(error))

    def test_a_boot_gives_it_up(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.driver.power_on(
            self.context, self.instance, mock.sentinel.network_info
        )
        self.assertEqual(['power_on'], self.names())
        self.assertEqual([], self.left())
        stored = move.Move.of(self.instance.system_metadata)
        self.assertIs(move.State.NONE, stored.state)

    @ddt.data('reboot', 'power_on')
    def test_the_destination_s_is_not_needed_any_more(self, way):
        """The guest was taken home, and could not go on there."""
        self.remember(move.State.HOMEWARD)
        self.checkpoint(Step.SENT)
        if way == 'reboot':
            self.reboot()
        else:
            self.driver.power_on(
                self.context, self.instance, mock.sentinel.network_info
            )
        self.peers.discard_checkpoint.assert_called_once_with(
            self.context, 'compute2', self.instance, uuids.migration
        )
        self.assertEqual([], self.left())
