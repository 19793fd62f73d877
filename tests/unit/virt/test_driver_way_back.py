# SPDX-License-Identifier: Apache-2.0
"""Where the driver is entered when a guest comes back to its source."""

from unittest import mock

import ddt
from nova import exception as nova_exception
from nova import objects
from nova.compute import task_states
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.virt import driver
from nova_numa_migrate.virt import homecoming
from nova_numa_migrate.virt import interrupted
from nova_numa_migrate.virt import second_copy
from tests.unit.virt import driver_base

HOME = driver_base.HOME
Step = journal.Step
BOOT = ['finish_revert_migration', '_create_guest']


@ddt.ddt
class WayBackTestCase(driver_base.DriverTestCase):
    def setUp(self):
        super().setUp()
        self.starting('finish_revert_migration')
        self.restore = self.expect_restore()
        self.goes_on = self.patch(interrupted, 'goes_on', return_value=False)
        self.peers = self.know_the_destination()
        for name, found in (('is_gone', True), ('get_host_ip_addr', HOME)):
            self.patch(driver.NumaLibvirtDriver, name, return_value=found)
        for name in ('event_start', 'event_finish_with_failure'):
            self.patch(objects.InstanceActionEvent, name)

    def revert(self, task_state=task_states.RESIZE_REVERTING):
        self.instance.task_state = task_state
        self.driver.finish_revert_migration(
            self.context,
            self.instance,
            mock.sentinel.network_info,
            objects.Migration(uuid=uuids.migration, dest_compute='compute2'),
        )

    def assert_restored(self):
        self.assertEqual(['finish_revert_migration', 'restore'], self.names())
        self.assertEqual([], self.left())

    def assert_booted(self):
        self.restore.assert_not_called()
        self.assertEqual(
            ['finish_revert_migration', '_create_guest'], self.names()
        )
        self.assertEqual([], self.left())

    def test_a_revert_over_the_disks_of_the_checkpoint(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.revert()
        self.assert_restored()

    @ddt.data(move.Disks.SHARED, move.Disks.MIXED)
    def test_a_revert_over_disks_that_the_guest_wrote_to_since(self, disks):
        self.remember(move.State.RESTORED, at_a_revert=disks)
        self.checkpoint(Step.SENT)
        self.revert()
        self.assert_booted()

    def test_a_guest_that_never_ran_elsewhere_wherever_the_disks_are(self):
        self.remember(move.State.RETURNING, at_a_revert=move.Disks.SHARED)
        self.checkpoint(Step.SENT, digest='digest')
        self.revert()
        self.assert_restored()
        self.assertEqual('digest', self.restore.call_args.args[5])

    @ddt.data(Step.SAVED, Step.SENT)
    def test_a_failed_move_wherever_the_disks_are(self, step):
        self.remember(at_a_revert=move.Disks.SHARED)
        self.checkpoint(step)
        self.revert(task_states.RESIZE_MIGRATING)
        self.assert_restored()

    def test_one_that_was_brought_from_the_destination(self):
        self.remember(move.State.HOMEWARD, at_a_revert=move.Disks.SHARED)
        self.checkpoint(Step.SENT, digest='older')
        required = self.patch(second_copy, 'require', return_value='')
        self.revert()
        self.assert_restored()
        required.assert_called_once_with(
            self.driver, self.context, self.instance, 'digest'
        )
        self.assertEqual('', self.restore.call_args.args[5])
        self.peers.discard_checkpoint.assert_called_once_with(
            self.context,
            'compute2',
            self.instance,
            uuids.migration,
        )
        # Whatever comes, nobody fetches it again.
        stored = move.Move.of(self.instance.system_metadata)
        self.assertIs(move.State.RESTORED, stored.state)

    def test_one_that_was_brought_and_is_nowhere(self):
        self.remember(move.State.HOMEWARD, at_a_revert=move.Disks.SHARED)
        self.peers.send_checkpoint.side_effect = driver_base.Failure('gone')
        error = self.assertRaises(homecoming.Kept, self.revert)
        self.assertIn(str(self.image), str(error))
        self.assertIn('host compute2', str(error))
        self.assertEqual([], self.calls)
        self.assertTrue(self.driver.has_pending_state(self.instance))

    def test_an_incomplete_checkpoint(self):
        self.remember()
        self.checkpoint(Step.SAVING)
        self.revert()
        self.assert_booted()

    @ddt.data(task_states.RESIZE_MIGRATING, task_states.RESIZE_REVERTING)
    def test_another_migrations_checkpoint(self, task_state):
        self.remember()
        self.checkpoint(Step.SENT, uuids.earlier)
        self.revert(task_state)
        self.assert_booted()

    @ddt.data(task_states.RESIZE_MIGRATING, task_states.RESIZE_REVERTING)
    def test_one_left_over_where_this_move_has_no_plan(self, task_state):
        self.checkpoint(Step.SENT)
        self.revert(task_state)
        self.assert_booted()

    def test_a_file_without_words(self):
        self.remember()
        self.checkpoint()
        self.revert()
        self.assert_booted()

    def test_none_at_all(self):
        self.revert()
        self.assert_booted()

    def interrupted(self, ending, *state, task=task_states.RESIZE_MIGRATING):
        self.remember(*state)
        self.checkpoint(Step.SAVING)
        self.patch(interrupted, 'ending', return_value=ending)
        self.revert(task)

    def test_a_save_whose_end_could_not_be_written_down(self):
        self.interrupted(
            interrupted.Ending.SAVED,
            move.State.RETURNING,
            task=task_states.RESIZE_REVERTING,
        )
        self.assert_restored()

    def test_an_interrupted_save_that_came_to_its_end(self):
        self.interrupted(interrupted.Ending.SAVED)
        self.assert_restored()

    def test_an_interrupted_save_that_lost_the_guest(self):
        self.interrupted(interrupted.Ending.LOST)
        self.assert_booted()

    def test_an_interrupted_save_that_left_the_guest_running(self):
        self.interrupted(interrupted.Ending.HERE)
        self.restore.assert_not_called()
        self.assertEqual([], self.names())
        self.assertEqual([], self.left())

    @ddt.data(
        (move.State.SAVED, True, []),
        (move.State.SAVED, False, BOOT),
        (move.State.HOMEWARD, False, BOOT),
    )
    @ddt.unpack
    def test_one_that_was_going_on_here_already(self, state, runs, calls):
        self.remember(state)
        self.checkpoint(Step.SENT)
        self.driver.checkpoints.spend(uuids.instance)
        self.goes_on.return_value = runs
        self.revert(task_states.RESIZE_MIGRATING)
        # Never a second time: its disks know more by now.
        self.restore.assert_not_called()
        self.assertEqual(calls, self.names())
        self.assertEqual([], self.left())

    @ddt.data(move.State.NONE, move.State.SAVED, move.State.HOMEWARD)
    def test_one_that_was_about_to_go_on(self, state):
        """Its service died between the restore and the mark of that."""
        self.remember(state)
        self.checkpoint(Step.SENT)
        self.goes_on.return_value = True
        self.revert()
        self.assertEqual([], self.names())
        self.assertEqual([], self.left())
        # What the destination has kept for it is of no use any more.
        told = self.peers.discard_checkpoint.called
        self.assertEqual(state is move.State.HOMEWARD, told)

    def test_an_interrupted_save_of_which_nothing_is_known(self):
        self.remember()
        self.checkpoint(Step.SAVING)
        self.patch(interrupted, 'ending', side_effect=driver_base.Failure)
        self.assertRaises(
            driver_base.Failure, self.revert, task_states.RESIZE_MIGRATING
        )
        self.assertEqual([], self.names())
        self.assertEqual(['.json', '.save'], self.left())

    def test_a_refused_one_is_kept(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.restore.side_effect = driver_base.Failure('it is on fire')
        error = self.assertRaises(nova_exception.MigrationError, self.revert)
        self.assertIn('cause: it is on fire', str(error))
        self.assertIn('"openstack server reboot --hard"', str(error))
        self.assertEqual(['.json', '.save'], self.left())

    def test_a_guest_that_is_to_stay_off_is_not_restored(self):
        self.remember()
        self.checkpoint(Step.SENT)
        name = 'finish_revert_migration'
        self.replace(
            name,
            self.noting(
                name,
                lambda: self.driver._create_guest(
                    self.context, '<x/>', self.instance, power_on=False
                ),
            ),
        )
        self.revert()
        self.restore.assert_not_called()


@ddt.ddt
class BeginReturnTestCase(driver_base.DriverTestCase):
    """A revert has ended the guest that ran at the destination."""

    def state_after(self, state=move.State.RESTORED, **fields):
        self.remember(state, **fields)
        self.driver.begin_return(self.instance)
        return move.Move.of(self.instance.system_metadata).state

    def test_the_checkpoint_is_all_that_there_is_of_it_again(self):
        self.checkpoint(Step.SENT)
        self.assertIs(move.State.SAVED, self.state_after())

    @ddt.data(move.State.NONE, move.State.RETURNING, move.State.HOMEWARD)
    def test_what_is_known_of_others_stays(self, state):
        self.checkpoint(Step.SENT)
        self.assertIs(state, self.state_after(state))

    @ddt.data(
        {'at_a_revert': move.Disks.SHARED},
        {'at_a_revert': move.Disks.MIXED},
        {'in_place': True},
        {'migration': uuids.later},
    )
    def test_not_where_the_checkpoint_is_not_of_its_disks(self, fields):
        self.checkpoint(Step.SENT)
        self.assertIs(move.State.RESTORED, self.state_after(**fields))

    def test_not_where_there_is_none(self):
        self.assertIs(move.State.RESTORED, self.state_after())

    def test_nothing_of_a_guest_without_a_move(self):
        self.driver.begin_return(self.instance)
        self.assertEqual({}, self.instance.system_metadata)
