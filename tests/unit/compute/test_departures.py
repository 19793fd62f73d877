# SPDX-License-Identifier: Apache-2.0
"""How a source that was restarted gives back what its moves hold."""

import datetime
from unittest import mock

import ddt
from nova import exception
from nova import objects
from nova.compute import manager as novas
from nova.compute import task_states
from nova.compute import utils as compute_utils
from nova.compute import vm_states
from oslo_utils import timeutils
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.compute import attachments
from nova_numa_migrate.compute import departures
from nova_numa_migrate.compute import manager
from nova_numa_migrate.compute import way_home
from tests.unit.compute import moves


@ddt.ddt
class RecoverTestCase(moves.MovesTestCase):
    def setUp(self):
        super().setUp()
        self.manager = mock.Mock(
            spec=['_revert_allocation', 'driver', 'host'], host='src'
        )
        self.driver = self.manager.driver
        self.driver.checkpoints.journal.return_value = None
        self.driver.has_pending_state.return_value = False
        self.driver.kept = moves.Failure
        self.begun = self.patch(objects.MigrationList, 'get_by_filters')
        self.begun.side_effect = self.of_status
        self.migrations = []
        self.instances = {}
        self.here = self.patch(objects.InstanceList, 'get_by_filters')
        self.here.side_effect = lambda *_, **__: list(self.instances.values())
        self.patch(
            objects.Instance,
            'get_by_uuid',
            side_effect=lambda _, uuid, **kwargs: self.instances[uuid],
        )
        self.save_nothing()
        self.drop_context = self.patch(
            objects.Instance, 'drop_migration_context'
        )
        self.patch(compute_utils, 'EventReporter')
        self.fault = self.patch(compute_utils, 'add_instance_fault_from_exc')
        self.complete = self.patch(attachments, 'complete')

    def of_status(self, _, filters):
        found = [m for m in self.migrations if m.status in filters['status']]
        known = filters.get('uuid')
        return [m for m in found if known is None or m.uuid in known]

    def found(self, uuid=uuids.instance, migration=uuids.migration, **kwargs):
        self.migrations.append(
            objects.Migration(
                uuid=uuids.migration,
                instance_uuid=uuid,
                status=kwargs.get('status', 'migrating'),
                dest_compute='dst',
                dest_host='192.0.2.2',
            )
        )
        instance = moves.an_instance(
            moves.a_move(
                kwargs.get('state', move.State.OPEN), migration=migration
            ),
            uuid,
            host=kwargs.get('host', 'src'),
            task_state=kwargs.get('task_state'),
            vm_state=kwargs.get('vm_state', vm_states.ACTIVE),
        )
        self.instances[uuid] = instance
        return instance

    def recover(self):
        departures.recover(self.manager, self.context)
        return [m.status for m in self.migrations]

    def test_all_that_the_move_holds_is_given_back(self):
        instance = self.found()
        self.assertEqual(['error'], self.recover())
        [migration] = self.migrations
        self.manager._revert_allocation.assert_called_once_with(
            self.context, instance, migration
        )
        self.manager.driver.withdraw.assert_called_once_with(
            instance, '192.0.2.2'
        )
        discard = self.manager.driver.peers.discard_checkpoint
        discard.assert_called_once_with(
            self.context, migration.dest_compute, instance, migration.uuid
        )
        discard = self.manager.driver.checkpoints.discard
        discard.assert_called_once_with(instance.uuid)
        self.drop_context.assert_called_once_with()
        self.assertEqual({}, instance.system_metadata)
        instance.save.assert_called_once_with()

    def test_only_those_that_had_begun_here(self):
        self.recover()
        filters = self.begun.call_args.args[1]
        self.assertEqual('src', filters['source_compute'])
        self.assertEqual(['migrating', 'post-migrating'], filters['status'])

    def test_one_that_novas_handlers_have_put_in_error(self):
        instance = self.found(status='error')
        self.assertEqual(['error'], self.recover())
        self.assertEqual({}, instance.system_metadata)
        self.manager._revert_allocation.assert_called_once()
        self.assertIsNone(self.here.call_args.args[1]['task_state'])

    def test_it_counts_as_begun_until_its_guest_goes_on(self):
        self.found(status='error')
        self.driver.has_pending_state.return_value = True
        self.assertEqual(['migrating'], self.recover())

    @ddt.data(move.State.SAVED, move.State.RESTORED, move.State.NONE)
    def test_not_one_that_was_handed_over(self, state):
        """Nova says so of a move that waits for its confirm, too."""
        self.found(status='error', state=state)
        self.recover()
        self.manager._revert_allocation.assert_not_called()

    def test_a_save_that_fails_leaves_the_move_for_the_next_start(self):
        instance = self.found()
        kept = dict(instance.system_metadata)
        instance.save.side_effect = [moves.Failure, None]
        self.assertEqual(['error'], self.recover())
        instance.system_metadata = kept
        self.recover()
        self.assertEqual(2, self.manager._revert_allocation.call_count)

    def test_a_migration_that_cannot_be_saved_leaves_the_move_as_well(self):
        instance = self.found()
        objects.Migration.save.side_effect = moves.Failure
        self.recover()
        self.assertIn(move.MOVE_KEY, instance.system_metadata)
        instance.save.assert_not_called()

    @ddt.data(
        {'host': 'dst'},
        {'task_state': task_states.RESIZE_MIGRATING},
        {'migration': uuids.of_another_time},
    )
    def test_what_is_not_over_is_left_alone(self, how):
        self.found(**how)
        self.assertEqual(['migrating'], self.recover())
        self.manager._revert_allocation.assert_not_called()

    def saved(self, gone=True, pending=True, **kwargs):
        """A guest that Nova had to bring back from its checkpoint."""
        self.driver.checkpoints.journal.return_value = mock.sentinel.journal
        self.driver.is_gone.return_value = gone
        self.driver.has_pending_state.return_value = pending
        return self.found(**kwargs)

    def test_a_guest_that_did_not_come_back_keeps_all(self):
        instance = self.saved()
        with self.assertLogs(departures.LOG.logger, 'ERROR'):
            self.assertEqual(['migrating'], self.recover())
        self.assertIn(move.MOVE_KEY, instance.system_metadata)
        self.manager._revert_allocation.assert_not_called()

    def test_its_server_says_so(self):
        instance = self.saved()
        self.recover()
        ((_, told, error), _) = self.fault.call_args
        self.assertIs(instance, told)
        self.assertIn(
            'on src ended while it moved the guest to dst', str(error)
        )
        self.assertEqual(vm_states.ERROR, instance.vm_state)
        instance.save.assert_called_once_with()
        # And once is enough, however often the service starts.
        self.recover()
        self.fault.assert_called_once()

    def test_a_server_that_somebody_has_stopped_since(self):
        instance = self.saved(vm_state=vm_states.STOPPED)
        self.assertEqual(['migrating'], self.recover())
        self.assertEqual(vm_states.STOPPED, instance.vm_state)

    def test_a_guest_that_runs_needs_no_checkpoint(self):
        self.saved(gone=False, pending=False)
        self.assertEqual(['error'], self.recover())

    def test_the_volumes_of_one_that_goes_on_are_in_use(self):
        instance = self.found()
        self.recover()
        self.complete.assert_called_once_with(
            self.manager, self.context, instance
        )

    def test_those_of_one_that_does_not_are_not(self):
        self.saved()
        self.recover()
        self.complete.assert_not_called()

    def test_what_is_off_and_of_no_use_waits_for_a_boot(self):
        instance = self.saved(pending=False)
        self.assertEqual(['migrating'], self.recover())
        self.assertEqual(vm_states.ACTIVE, instance.vm_state)

    def end(self, instance):
        departures.end(self.manager, self.context, instance)
        return [m.status for m in self.migrations]

    def test_one_that_goes_on_after_all(self):
        instance = self.found()
        self.assertEqual(['error'], self.end(instance))
        self.assertEqual(
            uuids.instance, self.begun.call_args.args[1]['instance_uuid']
        )

    def test_one_without_a_move(self):
        instance = self.found()
        move.forget(instance.system_metadata)
        self.assertEqual(['migrating'], self.end(instance))
        self.begun.assert_not_called()

    def test_it_runs_whatever_fails_then(self):
        instance = self.found()
        self.begun.side_effect = moves.Failure
        with self.assertLogs(departures.LOG.logger, 'ERROR'):
            departures.end(self.manager, self.context, instance)

    @ddt.data(moves.Failure, exception.AllocationMoveFailed)
    def test_one_failure_stops_no_other_and_is_tried_again(self, error):
        self.found()
        self.found(uuids.other)
        self.manager._revert_allocation.side_effect = [error, None]
        with self.assertLogs(departures.LOG.logger, 'ERROR'):
            self.assertEqual(['migrating', 'error'], self.recover())

    def test_a_server_that_is_deleted_stops_no_other(self):
        self.found()
        self.found(uuids.other)
        del self.instances[uuids.instance]
        with self.assertLogs(departures.LOG.logger, 'ERROR'):
            self.assertEqual(['migrating', 'error'], self.recover())


class AskedByTestCase(moves.MovesTestCase):
    def test_the_move_of_the_migration(self):
        instance = moves.an_instance(moves.a_move())
        migration = objects.Migration(uuid=uuids.migration)
        self.assertEqual(
            moves.a_move(), departures.asked_by(instance, migration)
        )
        self.assertIsNotNone(move.Move.of(instance.system_metadata))

    def test_one_left_over_is_forgotten(self):
        instance = moves.an_instance(moves.a_move(migration=uuids.earlier))
        migration = objects.Migration(uuid=uuids.migration)
        self.assertIsNone(departures.asked_by(instance, migration))
        self.assertIsNone(move.Move.of(instance.system_metadata))


@ddt.ddt
class TakeUpTestCase(moves.MovesTestCase):
    """A guest that a move has left while the service lives."""

    def setUp(self):
        super().setUp()
        self.manager = mock.Mock(
            spec=['_revert_allocation', 'driver', 'host'], host='src'
        )
        self.know_records()
        self.migration.dest_compute = 'dst'
        self.migration.dest_host = '192.0.2.2'
        self.save_nothing()
        self.drop_context = self.patch(
            objects.Instance, 'drop_migration_context'
        )
        self.patch(compute_utils, 'EventReporter')
        self.instance = moves.an_instance(
            moves.a_move(),
            task_state=task_states.RESIZE_MIGRATING,
            updated_at=timeutils.utcnow(with_timezone=True)
            - datetime.timedelta(seconds=70),
        )
        self.patch(
            objects.InstanceList,
            'get_by_filters',
            return_value=[self.instance],
        )
        self.known = self.patch(
            objects.Instance, 'get_by_uuid', return_value=self.instance
        )
        self.stay_home = self.patch(way_home, 'stay_home')

    def take_up(self, patience=60):
        departures.take_up(self.manager, self.context, ['flavor'], patience)
        return self.stay_home.call_count

    def test_one_that_was_left(self):
        self.assertEqual(0, self.take_up(patience=80))
        self.assertEqual(1, self.take_up())
        self.stay_home.assert_called_once_with(
            self.manager,
            self.context,
            self.instance,
            self.migration,
            mock.sentinel.spec,
        )
        filters = objects.InstanceList.get_by_filters.call_args.args[1]
        self.assertEqual(
            ('src', [task_states.RESIZE_MIGRATING]),
            (filters['host'], filters['task_state']),
        )

    def test_not_while_this_service_is_at_it(self):
        counts = []

        def resize(*_args):
            counts.append(self.take_up())

        self.patch(novas.ComputeManager, 'resize_instance', side_effect=resize)
        own = object.__new__(manager.NumaComputeManager)
        own.resize_instance(
            self.context, self.instance, {}, self.migration, {}, True, None
        )
        self.assertEqual([0], counts)
        self.assertEqual(1, self.take_up())

    def take_up_unsaved(self, has_stayed=True):
        driver = self.manager.driver
        driver.has_pending_state.return_value = False
        driver.has_stayed.return_value = has_stayed
        self.assertEqual(0, self.take_up())

    def test_one_that_runs_has_its_server_reset(self):
        self.take_up_unsaved()
        self.assertEqual(
            (vm_states.ACTIVE, None),
            (self.instance.vm_state, self.instance.task_state),
        )
        self.instance.save.assert_called_once_with(
            expected_task_state=[task_states.RESIZE_MIGRATING]
        )

    def test_and_all_that_the_move_holds_is_given_back(self):
        self.take_up_unsaved()
        driver = self.manager.driver
        self.manager._revert_allocation.assert_called_once_with(
            self.context, self.instance, self.migration
        )
        driver.checkpoints.discard.assert_called_once_with(uuids.instance)
        driver.withdraw.assert_called_once_with(self.instance, '192.0.2.2')
        driver.peers.discard_checkpoint.assert_called_once_with(
            self.context, 'dst', self.instance, uuids.migration
        )
        self.drop_context.assert_called_once_with()
        self.assertIsNone(move.Move.of(self.instance.system_metadata))
        self.assertEqual('error', self.migration.status)

    def test_a_server_is_what_it_was(self):
        """Whatever Nova's handlers have made of it."""
        self.instance.system_metadata['old_vm_state'] = vm_states.STOPPED
        self.instance.vm_state = vm_states.ERROR
        self.take_up_unsaved()
        self.assertEqual(vm_states.STOPPED, self.instance.vm_state)

    def test_what_only_a_start_can_take_back_is_left_alone(self):
        self.take_up_unsaved(has_stayed=False)
        self.assertEqual(
            task_states.RESIZE_MIGRATING, self.instance.task_state
        )
        self.manager._revert_allocation.assert_not_called()

    @ddt.data('_revert_allocation', 'driver.withdraw')
    def test_the_task_is_the_last_to_go(self, name):
        """It is what has the move looked at the next minute."""
        self.manager.configure_mock(**{f'{name}.side_effect': moves.Failure})
        with self.assertLogs(departures.LOG.logger, 'ERROR'):
            self.take_up_unsaved()
        self.instance.save.assert_not_called()
        self.assertIn(move.MOVE_KEY, self.instance.system_metadata)

    def test_even_after_the_migration(self):
        self.migration.save.side_effect = moves.Failure
        with self.assertLogs(departures.LOG.logger, 'ERROR'):
            self.take_up_unsaved()
        self.instance.save.assert_not_called()

    def test_not_one_that_was_handed_over_meanwhile(self):
        self.known.return_value = moves.an_instance(
            moves.a_move(), task_state=task_states.RESIZE_MIGRATED
        )
        self.assertEqual(0, self.take_up())

    def test_a_failure_stops_no_other(self):
        self.stay_home.side_effect = moves.Failure
        with self.assertLogs(departures.LOG.logger, 'ERROR'):
            self.take_up()
