# SPDX-License-Identifier: Apache-2.0
"""A hand-over that failed when it had happened goes on there."""

import ddt
from nova import exception
from nova import objects
from nova.compute import manager as novas
from nova.compute import task_states
from nova.compute import vm_states

from nova_numa_migrate import move
from nova_numa_migrate.compute import handover
from nova_numa_migrate.compute import manager
from nova_numa_migrate.compute import way_home
from tests.unit.compute import moves

MIGRATED = task_states.RESIZE_MIGRATED
DELETED = exception.UnexpectedDeletingTaskStateError(
    instance_uuid='x', expected={}, actual={}
)


@ddt.ddt
class HandoverTestCase(moves.MovesTestCase):
    def setUp(self):
        super().setUp()
        self.save_nothing()
        self.manager = object.__new__(manager.NumaComputeManager)
        self.instance = moves.an_instance(
            moves.a_move(move.State.SAVED), vm_state=vm_states.PAUSED
        )
        self.migration.dest_compute = 'dst'
        self.known = objects.Instance(
            vm_state=vm_states.ERROR, task_state=MIGRATED
        )
        self.patch(objects.Instance, 'get_by_uuid', return_value=self.known)
        self.patch(way_home, 'has_left', return_value=True)

    def resize(self, error):
        def fail(*_args):
            """With what Nova's handlers say then."""
            self.instance.vm_state = vm_states.ERROR
            self.migration.status = 'error'
            raise error

        self.patch(novas.ComputeManager, '_resize_instance', side_effect=fail)
        self.manager._resize_instance(
            self.context, self.instance, {}, self.migration, None, True, None
        )

    def state(self):
        return self.known.vm_state, self.migration.status

    def test_it_is_as_if_nothing_had_failed(self):
        with self.assertLogs(handover.LOG.logger, 'ERROR'):
            self.resize(moves.Failure())
        self.assertEqual((vm_states.PAUSED, 'post-migrating'), self.state())
        self.known.save.assert_called_once_with(expected_task_state=MIGRATED)
        self.migration.save.assert_called_once_with()

    @ddt.data(None, task_states.RESIZE_FINISH)
    def test_the_destination_is_at_work(self, task):
        self.known.task_state = task
        self.resize(moves.Failure())
        self.assertEqual((vm_states.ERROR, 'error'), self.state())

    def test_the_destination_begins_in_this_very_instant(self):
        self.known.save.side_effect = exception.UnexpectedTaskStateError(
            instance_uuid='x', expected={}, actual={}
        )
        self.resize(moves.Failure())
        self.migration.save.assert_not_called()

    def test_a_delete_was_faster(self):
        self.assertRaises(type(DELETED), self.resize, DELETED)
        self.assertEqual((vm_states.ERROR, 'error'), self.state())

    def test_one_without_a_hint_is_novas(self):
        move.forget(self.instance.system_metadata)
        self.assertRaises(moves.Failure, self.resize, moves.Failure())
