# SPDX-License-Identifier: Apache-2.0
"""Each half of a revert is done once, and taken up where it stopped."""

import datetime
from unittest import mock

import ddt
from nova import exception
from nova import objects
from nova.compute import manager as novas
from nova.compute import task_states
from nova.compute import vm_states
from nova.scheduler.client import report
from oslo_utils import timeutils
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.compute import halves
from nova_numa_migrate.compute import manager
from nova_numa_migrate.compute import revert
from nova_numa_migrate.compute import under_way
from nova_numa_migrate.compute import way_home
from nova_numa_migrate.virt import driver
from nova_numa_migrate.virt import homecoming
from tests.unit.compute import moves

REVERTING = task_states.RESIZE_REVERTING


class HalvesTestCase(moves.MovesTestCase):
    HOST = 'dst'

    def setUp(self):
        super().setUp()
        self.patch(novas.ComputeManager, '__init__', return_value=None)
        self.first = self.patch(novas.ComputeManager, 'revert_resize')
        self.second = self.patch(novas.ComputeManager, 'finish_revert_resize')
        self.manager = manager.NumaComputeManager.__new__(
            manager.NumaComputeManager
        )
        self.manager.host = self.HOST
        self.driver = mock.create_autospec(
            driver.NumaLibvirtDriver, instance=True
        )
        self.driver.checkpoints = mock.Mock(spec=['journal'])
        self.driver.checkpoints.journal.return_value = None
        self.driver.is_gone.return_value = True
        self.manager.driver = self.driver
        self.manager.rt = mock.Mock(spec=['arrived'])
        self.save_nothing()
        self.know_records()
        self.migration.source_compute = 'src'
        self.migration.dest_compute = 'dst'
        self.migration.status = 'reverting'
        self.instance = moves.an_instance(
            moves.a_move(move.State.RESTORED),
            host=self.HOST,
            vm_state=vm_states.RESIZED,
            task_state=REVERTING,
            flavor=objects.Flavor(),
            migration_context=objects.MigrationContext(),
            updated_at=timeutils.utcnow(with_timezone=True)
            - datetime.timedelta(seconds=70),
        )
        self.known = self.patch(objects.Instance, 'get_by_uuid')
        self.known.return_value = self.instance
        self.patch(
            objects.InstanceList,
            'get_by_filters',
            return_value=[self.instance],
        )
        self.arguments = (
            self.context,
            self.instance,
            self.migration,
            mock.sentinel.spec,
        )

    def fail(self, error):
        """As Nova's own method does, with what its decorators say then."""

        def fail(*_args):
            self.migration.status = 'error'
            self.instance.vm_state = vm_states.ERROR
            self.instance.task_state = None
            self.instance.old_flavor = self.instance.new_flavor = None
            raise error

        return fail

    def state(self):
        return (
            self.instance.vm_state,
            self.instance.task_state,
            self.migration.status,
        )

    def remember(self, state=move.State.RESTORED, **fields):
        moves.a_move(state, **fields).store(self.instance.system_metadata)

    def take_up(self, patience=0):
        halves.take_up(self.manager, self.context, ['flavor'], patience)


@ddt.ddt
class FirstTestCase(HalvesTestCase):
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
        self.assertEqual((vm_states.RESIZED, REVERTING, status), self.state())

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
            (vm_states.RESIZED, REVERTING, 'reverting'), self.state()
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
class SecondTestCase(HalvesTestCase):
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
            (vm_states.RESIZED, REVERTING, 'reverted'), self.state()
        )
        # Nova's way back reads them, and has forgotten them.
        for flavor in (self.instance.old_flavor, self.instance.new_flavor):
            self.assertIs(self.instance.flavor, flavor)

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


class GiveBackTestCase(HalvesTestCase):
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


@ddt.ddt
class TakeUpAtTheDestinationTestCase(HalvesTestCase):
    @ddt.data(*move.State)
    def test_the_first_half(self, state):
        self.remember(state)
        with self.assertLogs(halves.LOG.logger, 'WARNING'):
            self.take_up()
        self.first.assert_called_once_with(*self.arguments)

    def test_a_message_may_be_on_its_way(self):
        self.take_up(patience=80)
        self.first.assert_not_called()
        self.take_up(patience=60)
        self.first.assert_called_once()

    def test_not_while_this_service_is_at_it(self):
        with under_way.once(
            'revert', self.context, self.instance, self.migration, REVERTING
        ):
            self.take_up()
        self.first.assert_not_called()
        self.take_up()
        self.first.assert_called_once()

    def test_a_failure_stops_no_other(self):
        self.patch(halves, '_take_up', side_effect=moves.Failure)
        with self.assertLogs(halves.LOG.logger, 'ERROR'):
            self.take_up()

    def died_in_a_save(self, state=move.State.RESTORED):
        self.remember(state)
        self.driver.checkpoints.journal.return_value = journal.Journal(
            uuids.migration, journal.Step.SAVED
        )
        self.driver.instance_exists.return_value = True
        self.driver.is_gone.return_value = False
        self.take_up()

    def test_one_that_was_not_sent_stays(self):
        self.died_in_a_save()
        self.driver.stay.assert_called_once_with(
            self.instance, moves.a_move(move.State.RESTORED)
        )
        self.first.assert_not_called()
        self.assertEqual((vm_states.RESIZED, None, 'finished'), self.state())

    def test_one_that_was_sent_goes(self):
        self.died_in_a_save(move.State.HOMEWARD)
        self.driver.stay.assert_not_called()
        self.first.assert_called_once_with(*self.arguments)


@ddt.ddt
class TakeUpAtTheSourceTestCase(HalvesTestCase):
    HOST = 'src'

    def setUp(self):
        super().setUp()
        self.call_off = self.patch(way_home, 'call_off')

    @ddt.data('reverting', 'reverted', 'error')
    def test_the_second_half(self, status):
        """A journal of this host's own is no save that was broken off."""
        self.migration.status = status
        self.driver.checkpoints.journal.return_value = mock.sentinel.own
        self.take_up()
        self.second.assert_called_once_with(*self.arguments)
        self.driver.stay.assert_not_called()
        revert_called = self.first.called or self.call_off.called
        self.assertFalse(revert_called)

    def test_the_destination_is_told_that_nobody_comes(self):
        self.remember(move.State.RETURNING)
        self.take_up()
        self.second.assert_called_once_with(*self.arguments)
        self.call_off.assert_called_once_with(
            self.manager, self.context, self.instance, self.migration
        )

    @ddt.data(
        ('reverting', 'first'), ('error', 'first'), ('reverted', 'second')
    )
    @ddt.unpack
    def test_where_the_source_is_the_destination(self, status, half):
        self.remember(in_place=True)
        self.migration.dest_compute = 'src'
        self.migration.status = status
        self.take_up()
        getattr(self, half).assert_called_once_with(*self.arguments)
        self.assertEqual(1, self.first.call_count + self.second.call_count)


class CallOffTestCase(HalvesTestCase):
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
