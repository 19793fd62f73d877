# SPDX-License-Identifier: Apache-2.0
"""How a source that was restarted gives back what its moves hold."""

from unittest import mock

import ddt
from nova import exception
from nova import objects
from nova.compute import task_states
from nova.compute import utils as compute_utils
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.compute import departures
from tests.unit.compute import moves


@ddt.ddt
class RecoverTestCase(moves.MovesTestCase):
    def setUp(self):
        super().setUp()
        self.manager = mock.Mock(
            spec=['_revert_allocation', 'driver', 'host'], host='src'
        )
        self.manager.driver.checkpoints.journal.return_value = None
        self.begun = self.patch(objects.MigrationList, 'get_by_filters')
        self.begun.return_value = []
        self.instances = {}
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

    def found(self, uuid=uuids.instance, migration=uuids.migration, **kwargs):
        self.begun.return_value.append(
            objects.Migration(
                uuid=uuids.migration,
                instance_uuid=uuid,
                status='migrating',
                dest_compute='dst',
                dest_host='192.0.2.2',
            )
        )
        instance = moves.an_instance(
            moves.a_move(migration=migration),
            uuid,
            host=kwargs.get('host', 'src'),
            task_state=kwargs.get('task_state'),
        )
        self.instances[uuid] = instance
        return instance

    def recover(self):
        departures.recover(self.manager, self.context)
        return [m.status for m in self.begun.return_value]

    def test_all_that_the_move_holds_is_given_back(self):
        instance = self.found()
        self.assertEqual(['error'], self.recover())
        [migration] = self.begun.return_value
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
        self.drop_context.assert_called_once_with()
        self.assertEqual({}, instance.system_metadata)
        instance.save.assert_called_once_with()

    def test_only_those_that_had_begun_here(self):
        self.recover()
        filters = self.begun.call_args.args[1]
        self.assertEqual('src', filters['source_compute'])
        self.assertEqual(['migrating', 'post-migrating'], filters['status'])

    @ddt.data(
        {'host': 'dst'},
        {'task_state': task_states.RESIZE_MIGRATING},
        {'migration': uuids.of_another_time},
    )
    def test_what_is_not_over_is_left_alone(self, how):
        self.found(**how)
        self.assertEqual(['migrating'], self.recover())
        self.manager._revert_allocation.assert_not_called()

    def test_a_guest_that_did_not_come_back_keeps_all(self):
        instance = self.found()
        checkpoints = self.manager.driver.checkpoints
        checkpoints.journal.return_value = mock.sentinel.journal
        with self.assertLogs(departures.LOG.logger, 'ERROR'):
            self.assertEqual(['migrating'], self.recover())
        self.assertIn(move.MOVE_KEY, instance.system_metadata)

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
        self.instances[uuids.instance] = None
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
