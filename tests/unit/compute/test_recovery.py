# SPDX-License-Identifier: Apache-2.0
"""How a destination that was restarted ends the moves it finds."""

import datetime
from unittest import mock

import ddt
from nova import exception
from nova import objects
from nova.compute import power_state
from nova.compute import task_states
from nova.compute import vm_states
from oslo_utils import timeutils
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.compute import recovery
from nova_numa_migrate.compute import under_way
from nova_numa_migrate.compute import way_home
from tests.unit.compute import moves


@ddt.ddt
class RecoverTestCase(moves.MovesTestCase):
    def setUp(self):
        super().setUp()
        self.manager = mock.Mock(
            spec=[
                '_complete_volume_attachments',
                'driver',
                'host',
            ],
            host='dst',
        )
        self.waiting = self.patch(objects.InstanceList, 'get_by_filters')
        self.waiting.return_value = []
        self.know_records()
        self.leads_home = self.patch(way_home, 'leads_home', return_value=True)
        self.go_home = self.patch(way_home, 'go_home')
        self.save_nothing()
        self.patch(objects.Instance, 'get_bdms', return_value=[])
        self.known = self.patch(
            objects.Instance, 'get_by_uuid', side_effect=self.look_up
        )

    def found(
        self,
        state=move.State.SAVED,
        uuid=uuids.instance,
        task_state=task_states.RESIZE_FINISH,
    ):
        instance = moves.an_instance(
            state and moves.a_move(state),
            uuid,
            vm_state=vm_states.ACTIVE,
            task_state=task_state,
            updated_at=timeutils.utcnow(with_timezone=True)
            - datetime.timedelta(seconds=70),
        )
        self.waiting.return_value.append(instance)
        return instance

    def look_up(self, context, uuid, **more):
        [found] = [
            one for one in self.waiting.return_value if one.uuid == uuid
        ]
        return found

    def recover(self, goes_on=False, has_run=False):
        self.manager.driver.goes_on.return_value = goes_on
        self.manager.driver.has_run.return_value = has_run
        recovery.recover(self.manager, self.context)

    def assert_goes_home(self, instance):
        self.go_home.assert_called_once_with(
            self.manager,
            self.context,
            instance,
            self.migration,
            mock.sentinel.spec,
        )

    def test_only_those_that_were_being_finished_here(self):
        self.recover()
        filters = self.waiting.call_args.args[1]
        self.assertEqual('dst', filters['host'])
        self.assertEqual([task_states.RESIZE_FINISH], filters['task_state'])

    def test_one_that_is_gone_goes_home(self):
        instance = self.found()
        self.recover()
        self.assert_goes_home(instance)

    @ddt.data(move.State.SAVED, move.State.RESTORED)
    def test_one_that_runs_has_moved(self, state):
        instance = self.found(state)
        self.recover(goes_on=True)
        self.go_home.assert_not_called()
        self.assertEqual(
            (vm_states.RESIZED, None, 'finished'),
            (instance.vm_state, instance.task_state, self.migration.status),
        )
        self.assertEqual(
            {'expected_task_state': task_states.RESIZE_FINISH},
            instance.save.call_args.kwargs,
        )
        self.assertEqual(power_state.RUNNING, instance.power_state)
        self.manager.driver.has_arrived.assert_called_once_with(
            instance, move.Move.of(instance.system_metadata)
        )
        self.manager._complete_volume_attachments.assert_called_once_with(
            self.context, []
        )

    @ddt.data((move.State.SAVED, True), (move.State.RESTORED, False))
    @ddt.unpack
    def test_one_that_has_run_and_stopped_has_moved(self, state, has_run):
        instance = self.found(state)
        self.recover(has_run=has_run)
        self.go_home.assert_not_called()
        self.assertEqual(
            (vm_states.RESIZED, power_state.SHUTDOWN, 'finished'),
            (instance.vm_state, instance.power_state, self.migration.status),
        )

    def settles(
        self,
        known=task_states.RESIZE_FINISH,
        goes_on=True,
        vm_state=vm_states.ACTIVE,
        leads_home=False,
    ):
        self.leads_home.return_value = leads_home
        self.manager.driver.goes_on.return_value = goes_on
        self.known.side_effect = None
        self.known.return_value = objects.Instance(
            task_state=known, vm_state=vm_state
        )
        [instance] = self.waiting.return_value
        return recovery.settles(
            self.manager,
            self.context,
            instance,
            self.migration,
            mock.sentinel.spec,
            moves.Failure(),
        )

    @ddt.data(move.State.SAVED, move.State.RESTORED)
    def test_a_failure_when_it_runs_does_not_undo_its_move(self, state):
        instance = self.found(state)
        self.assertTrue(self.settles())
        self.assertEqual(vm_states.RESIZED, instance.vm_state)

    def test_a_failure_when_all_was_done(self):
        instance = self.found(move.State.RESTORED)
        self.assertTrue(self.settles(known=None, vm_state=vm_states.RESIZED))
        self.assertEqual(vm_states.ACTIVE, instance.vm_state)

    def test_a_failure_when_somebody_has_taken_its_task_away(self):
        self.found(move.State.RESTORED)
        self.assertFalse(self.settles(known=None))

    def test_a_failure_when_it_does_not_run(self):
        self.found(move.State.RESTORED)
        self.assertFalse(self.settles(goes_on=False))

    @ddt.data(None, move.State.OPEN, move.State.NONE, move.State.RETURNING)
    def test_a_failure_of_what_was_not_saved_is_novas(self, state):
        self.found(state)
        self.assertFalse(self.settles())

    def test_a_failure_when_it_is_gone_takes_it_home(self):
        instance = self.found()
        tell_why = self.patch(way_home, 'tell_why')
        self.assertTrue(self.settles(leads_home=True))
        tell_why.assert_called_once()
        self.assert_goes_home(instance)

    def assert_done_later(self, **fields):
        with self.assertLogs(recovery.LOG.logger, 'ERROR'):
            self.assertTrue(self.settles(**fields))
        [instance] = self.waiting.return_value
        self.assertEqual(task_states.RESIZE_FINISH, instance.task_state)

    def test_it_cannot_go_home_now(self):
        self.found()
        self.patch(way_home, 'tell_why')
        self.go_home.side_effect = moves.Failure
        self.assert_done_later(leads_home=True)

    def test_cinder_does_not_answer_now(self):
        self.found()
        complete = self.manager._complete_volume_attachments
        complete.side_effect = moves.Failure
        self.assert_done_later()

    def test_libvirt_does_not_answer_now(self):
        self.found()
        self.manager.driver.goes_on.side_effect = moves.Failure
        self.assert_done_later()

    @ddt.data(
        exception.InstanceNotFound(instance_id='x'),
        exception.UnexpectedDeletingTaskStateError(
            instance_uuid='x', expected={}, actual={}
        ),
    )
    def test_the_server_was_deleted(self, error):
        self.found()
        self.patch(way_home, 'tell_why')
        self.go_home.side_effect = error
        self.assertRaises(type(error), self.settles, leads_home=True)

    def test_one_of_which_nothing_is_certain_stays(self):
        instance = self.found()
        self.leads_home.return_value = False
        self.recover()
        self.go_home.assert_not_called()
        self.assertEqual(task_states.RESIZE_FINISH, instance.task_state)

    @ddt.data(None, move.State.OPEN, move.State.NONE, move.State.RETURNING)
    def test_what_was_not_saved_is_novas(self, state):
        self.found(state)
        self.recover(goes_on=True)
        self.go_home.assert_not_called()
        self.manager.driver.goes_on.assert_not_called()

    def test_one_failure_does_not_stop_the_others(self):
        self.found()
        other = self.found(uuid=uuids.other)
        self.go_home.side_effect = [moves.Failure, None]
        with self.assertLogs(recovery.LOG.logger, 'ERROR'):
            self.recover()
        self.assertIs(other, self.go_home.call_args.args[2])

    # While the service lives.

    def take_up(self, patience=60):
        self.manager.driver.goes_on.return_value = False
        self.manager.driver.has_run.return_value = False
        recovery.take_up(self.manager, self.context, [], patience)
        return self.go_home.call_count

    def test_one_that_was_left(self):
        self.found()
        self.assertEqual(0, self.take_up(patience=80))
        self.assertEqual(1, self.take_up())

    def test_not_while_this_service_is_at_it(self):
        with under_way.at('arrival', self.found()):
            self.assertEqual(0, self.take_up())
        self.assertEqual(1, self.take_up())

    def test_not_when_somebody_has_ended_it_meanwhile(self):
        self.found()
        self.known.side_effect = None
        self.known.return_value = objects.Instance(task_state=None)
        self.assertEqual(0, self.take_up())
