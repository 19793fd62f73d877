# SPDX-License-Identifier: Apache-2.0
"""Which guest goes home from the destination, and in which order."""

from unittest import mock

import ddt
from nova import context
from nova import exception
from nova import objects
from nova.compute import task_states
from nova.compute import vm_states
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.compute import under_way
from nova_numa_migrate.compute import way_home
from tests.unit.compute import moves


class WayHomeTestCase(moves.MovesTestCase):
    def setUp(self):
        super().setUp()
        self.instance = moves.an_instance(
            vm_state=vm_states.ACTIVE,
            task_state=task_states.RESIZE_FINISH,
            flavor=objects.Flavor(),
            old_flavor=None,
        )
        self.migration.source_compute = 'src'
        self.migration.status = 'post-migrating'

    def remember(self, state, migration=uuids.migration):
        a_move = moves.a_move(state, migration, digest='digest')
        a_move.store(self.instance.system_metadata)


@ddt.ddt
class LeadsHomeTestCase(WayHomeTestCase):
    def leads_home(self, **is_gone):
        driver = mock.Mock(spec=['is_gone'])
        driver.is_gone.configure_mock(**is_gone)
        return way_home.leads_home(driver, self.instance, self.migration)

    def test_a_saved_guest_that_has_not_run_here(self):
        self.remember(move.State.SAVED)
        self.assertIs(True, self.leads_home(return_value=True))

    def test_not_one_that_runs(self):
        self.remember(move.State.SAVED)
        self.assertIs(False, self.leads_home(return_value=False))

    def test_not_one_that_may_run(self):
        self.remember(move.State.SAVED)
        with self.assertLogs(way_home.LOG.logger, 'ERROR') as log:
            self.assertIs(
                False, self.leads_home(side_effect=moves.Failure('dead'))
            )
        self.assertIn('dead', log.output[0])

    # In one order in every process: the names of the tests hold it.
    @ddt.data(*(s for s in move.State if s is not move.State.SAVED))
    def test_not_in_any_other_state(self, state):
        self.remember(state)
        self.assertIs(False, self.leads_home(return_value=True))

    def test_not_without_a_move(self):
        self.assertIs(False, self.leads_home(return_value=True))

    def test_not_by_what_an_earlier_migration_left(self):
        self.remember(move.State.SAVED, uuids.earlier)
        self.assertIs(False, self.leads_home(return_value=True))


class MovingTestCase(WayHomeTestCase):
    def setUp(self):
        super().setUp()
        self.remember(move.State.SAVED)
        self.instance.obj_reset_changes()
        self.known = objects.Instance(
            vm_state=vm_states.ACTIVE, task_state=task_states.RESIZE_FINISH
        )
        self.patch(
            objects.Instance,
            'get_by_uuid',
            side_effect=lambda *_, **__: self.known,
        )
        self.saved = []
        # What the server must not have become meanwhile.
        self.expected = None
        for cls in (objects.Instance, objects.Migration):
            patcher = mock.patch.object(cls, 'save', self.save())
            patcher.start()
            self.addCleanup(patcher.stop)
        for name in ('event_start', 'event_finish_with_failure'):
            setattr(self, name, self.patch(objects.InstanceActionEvent, name))
        self.manager = mock.Mock(
            spec=['driver', 'finish_revert_resize', 'host', 'revert_resize'],
            host='dst',
        )
        self.discard = self.manager.driver.checkpoints.discard

    def save(self):
        def save(one, **expected):
            self.saved.append(type(one).__name__)
            self.expected = expected or self.expected

        return save

    def assert_written_down(self, status, instance, migration, request_spec):
        stored = move.Move.of(instance.system_metadata, migration.uuid)
        self.assertIs(move.State.RETURNING, stored.state)
        self.assertEqual('digest', stored.digest)
        self.assertEqual(
            (vm_states.RESIZED, task_states.RESIZE_REVERTING, status),
            (instance.vm_state, instance.task_state, migration.status),
        )
        self.assertIs(instance.flavor, instance.old_flavor)
        self.assertEqual(['Migration', 'Instance'], self.saved)
        self.assertEqual(
            {'expected_task_state': [task_states.RESIZE_FINISH]}, self.expected
        )
        self.assertIs(mock.sentinel.request_spec, request_spec)


@ddt.ddt
class GoHomeTestCase(MovingTestCase):
    def go_home(self):
        way_home.go_home(
            self.manager,
            context.RequestContext('user', 'project'),
            self.instance,
            self.migration,
            mock.sentinel.request_spec,
        )

    def test_everything_is_written_down_before_the_revert(self):
        def revert(_context, *args):
            self.assert_written_down('reverting', *args)
            # Where the revert fails, the guest goes on from it.
            self.discard.assert_not_called()

        self.manager.revert_resize.side_effect = revert
        self.go_home()
        self.manager.revert_resize.assert_called_once()
        self.assertEqual(way_home.EVENT, self.event_start.call_args.args[2])

    def assert_left_to_the_delete(self):
        self.assertRaises(
            exception.UnexpectedDeletingTaskStateError, self.go_home
        )
        self.manager.revert_resize.assert_not_called()
        # Nova's handlers save the instance after that.
        self.assertEqual(set(), self.instance.obj_what_changed())

    @ddt.data(
        (vm_states.ACTIVE, task_states.DELETING),
        (vm_states.ERROR, task_states.SOFT_DELETING),
        (vm_states.SOFT_DELETED, None),
        (vm_states.DELETED, None),
    )
    @ddt.unpack
    def test_one_that_is_deleted_meanwhile(self, vm_state, task):
        self.known = objects.Instance(vm_state=vm_state, task_state=task)
        self.assert_left_to_the_delete()
        self.assertEqual([], self.saved)
        self.assertEqual(task_states.RESIZE_FINISH, self.instance.task_state)

    def test_one_that_is_deleted_in_this_very_instant(self):
        self.patch(
            objects.Instance,
            'save',
            side_effect=exception.UnexpectedDeletingTaskStateError(
                instance_uuid='x', expected={}, actual={}
            ),
        )
        self.assert_left_to_the_delete()

    def test_on_one_host_there_is_no_second_checkpoint(self):
        self.manager.host = 'src'
        self.go_home()
        self.discard.assert_not_called()
        self.manager.revert_resize.assert_called_once()

    def test_a_failure_on_the_way_is_told(self):
        self.manager.revert_resize.side_effect = moves.Failure
        self.assertRaises(moves.Failure, self.go_home)
        finish = self.event_finish_with_failure.call_args
        self.assertIsInstance(finish.kwargs['exc_val'], moves.Failure)


class StayHomeTestCase(MovingTestCase):
    def setUp(self):
        super().setUp()
        self.manager.host = 'src'
        self.known.update({'host': 'src', 'node': 'node', 'compute_id': 7})
        self.known.old_flavor = None
        # What Nova has changed and not saved.
        self.instance.host = self.instance.node = 'dst'
        self.instance.compute_id = 8
        self.migration.dest_compute = 'dst'
        self.migration.dest_host = '192.0.2.2'
        self.tell = self.manager.driver.peers.discard_checkpoint

    def call_off(self):
        way_home.call_off(
            self.manager,
            mock.sentinel.context,
            self.instance,
            self.migration,
        )

    def test_a_destination_that_cannot_be_told(self):
        self.tell.side_effect = moves.Failure
        with self.assertLogs(way_home.LOG.logger, 'ERROR'):
            self.call_off()

    def test_nobody_is_told_of_a_guest_that_stays_on_its_host(self):
        self.migration.dest_compute = 'src'
        self.call_off()
        self.tell.assert_not_called()

    def has_left(self):
        return way_home.has_left(mock.sentinel.context, self.instance)

    def test_it_has_left_when_nova_has_said_so(self):
        # Whatever the instance at hand names.
        self.assertIs(False, self.has_left())
        self.known.old_flavor = objects.Flavor()
        self.assertIs(True, self.has_left())

    def wait(self, patience):
        for name, value in (('_POLL', 0.0), ('_SILENCE', patience)):
            patcher = mock.patch.object(under_way, name, value)
            patcher.start()
            self.addCleanup(patcher.stop)

    def test_a_server_that_was_deleted(self):
        self.wait(300.0)
        deleted = exception.InstanceNotFound(instance_id='x')
        objects.Instance.get_by_uuid.side_effect = [deleted, self.known]
        self.assertRaises(exception.InstanceNotFound, self.has_left)

    def test_a_database_that_is_back_in_a_moment(self):
        self.wait(300.0)
        self.known.old_flavor = objects.Flavor()
        objects.Instance.get_by_uuid.side_effect = [
            moves.Failure,
            moves.Failure,
            self.known,
        ]
        self.assertIs(True, self.has_left())

    def test_a_database_that_is_not(self):
        self.wait(0.0)
        objects.Instance.get_by_uuid.side_effect = moves.Failure
        self.assertRaises(moves.Failure, self.has_left)

    def test_it_goes_on_here_and_nothing_is_left_there(self):
        def revert(_context, instance, *args):
            self.assert_written_down('reverted', instance, *args)
            self.assertEqual(
                ('src', 'node', 7),
                (instance.host, instance.node, instance.compute_id),
            )
            self.manager.driver.withdraw.assert_not_called()

        self.manager.finish_revert_resize.side_effect = revert
        way_home.stay_home(
            self.manager,
            context.RequestContext('user', 'project'),
            self.instance,
            self.migration,
            mock.sentinel.request_spec,
        )
        self.manager.finish_revert_resize.assert_called_once()
        self.manager.driver.withdraw.assert_called_once_with(
            self.instance, '192.0.2.2'
        )
        self.tell.assert_called_once_with(
            mock.ANY, 'dst', self.instance, uuids.migration
        )
        self.assertEqual('error', self.migration.status)
