# SPDX-License-Identifier: Apache-2.0
"""Each half of a revert is done once."""

from unittest import mock

import ddt
from nova import exception
from nova import objects
from nova.compute import manager as novas
from nova.compute import task_states
from nova.compute import vm_states
from nova.scheduler.client import report
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.compute import halves
from nova_numa_migrate.compute import revert
from nova_numa_migrate.virt import homecoming
from tests.unit.compute import halves_base
from tests.unit.compute import moves


@ddt.ddt
class FirstTestCase(halves_base.HalvesTestCase):
    def test_when_it_was_asked_for(self):
        self.manager.revert_resize(*self.arguments)
        self.first.assert_called_once_with(*self.arguments)

    def test_not_when_it_is_done(self):
        self.migration.status = 'reverted'
        self.manager.revert_resize(*self.arguments)
        self.first.assert_not_called()

    def test_all_the_same_when_novas_poll_calls_it_an_error(self):
        self.migration.status = 'error'
        told = []
        self.first.side_effect = lambda *_: told.append(self.state()[2])
        self.manager.revert_resize(*self.arguments)
        # The source counts what such a migration holds.
        self.assertEqual(['reverting'], told)
        self.migration.save.assert_called_once()

    @ddt.data('reverting', 'error')
    def test_not_when_the_server_is_its_source_s(self, status):
        self.migration.status = status
        self.instance.host = 'src'
        self.manager.revert_resize(*self.arguments)
        self.first.assert_not_called()

    def test_not_when_somebody_has_taken_the_task_away(self):
        self.known.return_value = moves.an_instance(
            moves.a_move(move.State.RESTORED), task_state=None
        )
        self.manager.revert_resize(*self.arguments)
        self.first.assert_not_called()

    @ddt.data(
        ('dst', 'reverting'),
        # The server is its source's by now.
        ('src', 'reverted'),
    )
    @ddt.unpack
    def test_a_failure_when_the_guest_has_ended(self, host, status):
        fail = self.fail(moves.Failure())

        def go_and_fail(*args):
            self.instance.host = host
            fail(*args)

        self.first.side_effect = go_and_fail
        with self.assertLogs(halves.LOG.logger, 'WARNING'):
            self.manager.revert_resize(*self.arguments)
        self.assertEqual(
            (vm_states.RESIZED, halves_base.REVERTING, status), self.state()
        )

    def test_it_is_said_where_the_server_is_before_how_far_it_came(self):
        order = mock.Mock()
        self.first.side_effect = self.fail(moves.Failure())
        for cls in (objects.Instance, objects.Migration):
            cls.save.side_effect = getattr(order, cls.__name__)
        self.manager.revert_resize(*self.arguments)
        self.assertEqual(
            ['Instance', 'Migration'], [name for name, *_ in order.mock_calls]
        )

    def test_nobody_knows_whether_it_has_ended(self):
        self.driver.is_gone.side_effect = moves.Failure
        self.first.side_effect = self.fail(moves.Failure())
        self.manager.revert_resize(*self.arguments)
        self.assertEqual(
            (vm_states.RESIZED, halves_base.REVERTING, 'reverting'),
            self.state(),
        )

    def test_the_guest_runs_on(self):
        self.patch(revert, 'send_home', return_value=True)
        self.driver.is_gone.return_value = False
        self.first.side_effect = self.fail(moves.Failure())
        with self.assertLogs(halves.LOG.logger, 'ERROR'):
            self.manager.revert_resize(*self.arguments)
        self.assertEqual((vm_states.RESIZED, None, 'finished'), self.state())

    @ddt.data(
        exception.InstanceNotFound(instance_id='x'),
        exception.UnexpectedDeletingTaskStateError(
            instance_uuid='x', expected={}, actual={}
        ),
    )
    def test_the_server_was_deleted(self, error):
        self.first.side_effect = self.fail(error)
        self.assertRaises(
            type(error), self.manager.revert_resize, *self.arguments
        )
        self.assertEqual((vm_states.ERROR, None, 'error'), self.state())

    @ddt.data(True, False)
    def test_the_server_is_being_deleted(self, is_gone):
        self.patch(revert, 'send_home', return_value=True)
        self.driver.is_gone.return_value = is_gone
        deleting = moves.an_instance(
            vm_state=vm_states.RESIZED, task_state=task_states.DELETING
        )

        def fail(*args):
            self.known.return_value = deleting
            self.fail(moves.Failure())(*args)

        self.first.side_effect = fail
        self.assertRaises(
            exception.UnexpectedDeletingTaskStateError,
            self.manager.revert_resize,
            *self.arguments,
        )
        self.assertEqual((vm_states.ERROR, None, 'error'), self.state())
        self.instance.save.assert_not_called()

    def test_it_is_left_as_nobody_else_has_it(self):
        self.first.side_effect = self.fail(moves.Failure())
        self.manager.revert_resize(*self.arguments)
        self.instance.save.assert_called_once_with(expected_task_state=[None])


@ddt.ddt
class SecondTestCase(halves_base.HalvesTestCase):
    HOST = 'src'

    def test_once(self):
        self.manager.finish_revert_resize(*self.arguments)
        self.driver.begin_return.assert_called_once_with(self.instance)
        self.known.return_value = moves.an_instance(task_state=None)
        self.manager.finish_revert_resize(*self.arguments)
        self.second.assert_called_once_with(*self.arguments)
        self.manager.rt.arrived.assert_called_with(uuids.instance)

    @ddt.data('reverting', 'error', 'reverted')
    def test_the_first_half_is_done(self, status):
        """A service may have died, or failed, before it said so."""
        self.migration.status = status
        told = []
        self.second.side_effect = lambda *_: told.append(self.state()[2])
        self.manager.finish_revert_resize(*self.arguments)
        self.assertEqual(['reverted'], told)

    def test_one_without_a_hint_is_novas(self):
        move.forget(self.instance.system_metadata)
        self.manager.finish_revert_resize(*self.arguments)
        self.second.assert_called_once_with(*self.arguments)
        self.driver.begin_return.assert_not_called()

    def test_a_failure_before_it_came_to_the_guest(self):
        self.driver.has_pending_state.return_value = True
        self.second.side_effect = self.fail(moves.Failure())
        with self.assertLogs(halves.LOG.logger, 'WARNING'):
            self.manager.finish_revert_resize(*self.arguments)
        self.assertEqual(
            (vm_states.RESIZED, halves_base.REVERTING, 'reverted'),
            self.state(),
        )
        # Nova's way back reads them, and has forgotten them.
        for flavor in (self.instance.old_flavor, self.instance.new_flavor):
            self.assertIs(self.instance.flavor, flavor)

    def test_a_failure_when_the_guest_goes_on(self):
        """Cinder, say; an error would have somebody boot it."""
        self.driver.has_pending_state.return_value = False
        fail = self.fail(moves.Failure())

        def go_on_and_fail(*args):
            self.driver.is_gone.return_value = False
            # As Nova's end of a revert has it, however that was.
            move.forget(self.instance.system_metadata)
            fail(*args)

        self.second.side_effect = go_on_and_fail
        self.remember(move.State.HOMEWARD)
        self.manager.finish_revert_resize(*self.arguments)
        self.assertEqual(
            (vm_states.RESIZED, halves_base.REVERTING, 'reverted'),
            self.state(),
        )
        found = move.Move.of(self.instance.system_metadata, uuids.migration)
        self.assertIs(move.State.RESTORED, found.state)

    def assert_in_error(self, error):
        self.second.side_effect = self.fail(error)
        self.assertRaises(
            type(error), self.manager.finish_revert_resize, *self.arguments
        )
        self.assertEqual((vm_states.ERROR, None, 'error'), self.state())
        # Nor does anybody hold its memory.
        self.manager.rt.arrived.assert_called_once_with(uuids.instance)

    def test_the_guest_could_not_be_started(self):
        self.driver.has_pending_state.return_value = True
        self.assert_in_error(homecoming.Kept(reason='on fire'))

    def test_there_is_no_state(self):
        self.driver.has_pending_state.return_value = False
        self.assert_in_error(moves.Failure())


class GiveBackTestCase(halves_base.HalvesTestCase):
    """The server has its source's allocation, or waits for Placement."""

    def setUp(self):
        super().setUp()
        self.novas = self.patch(novas.ComputeManager, '_revert_allocation')
        self.manager.reportclient = mock.create_autospec(
            report.SchedulerReportClient, instance=True
        )
        self.ask = self.manager.reportclient.get_allocs_for_consumer
        self.held = {uuids.migration: {'src': 1}, uuids.instance: {'dst': 1}}
        self.ask.side_effect = lambda _, uuid: {'allocations': self.held[uuid]}

    def give_back(self):
        return self.manager._revert_allocation(*self.arguments[:3])

    def test_by_nova(self):
        self.novas.return_value = {'src': 1}
        self.assertEqual({'src': 1}, self.give_back())
        self.novas.assert_called_once_with(*self.arguments[:3])

    def test_it_was_given_back_before(self):
        self.held = {uuids.migration: {}, uuids.instance: {'src': 1}}
        self.assertEqual({'src': 1}, self.give_back())
        self.novas.assert_not_called()

    def test_placement_does_not_answer(self):
        self.ask.side_effect = moves.Failure
        self.assertRaises(moves.Failure, self.give_back)
        self.novas.assert_not_called()

    def test_nor_does_it_the_moment_after(self):
        self.novas.return_value = False
        self.assertRaises(exception.AllocationMoveFailed, self.give_back)

    def test_a_move_without_a_hint_is_novas(self):
        move.forget(self.instance.system_metadata)
        self.novas.return_value = False
        self.assertIs(False, self.give_back())
        self.ask.assert_not_called()


class CallOffTestCase(halves_base.HalvesTestCase):
    def test_the_server_is_as_before_the_revert(self):
        self.driver.is_gone.return_value = False
        self.instance.vm_state = vm_states.ERROR
        revert.call_off(
            self.manager,
            self.context,
            self.instance,
            self.migration,
            moves.Failure(),
        )
        self.assertEqual((vm_states.RESIZED, None, 'finished'), self.state())
