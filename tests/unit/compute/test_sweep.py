# SPDX-License-Identifier: Apache-2.0
"""Which checkpoints are deleted, and which wait for somebody."""

import pathlib
import types
from unittest import mock

import ddt
import fixtures
from nova import exception
from nova import objects
from nova.compute import task_states
from nova.compute import vm_states
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.checkpoint import store
from nova_numa_migrate.compute import sweep
from tests.unit.compute import moves

State = move.State


@ddt.ddt
class SweepTestCase(moves.MovesTestCase):
    def setUp(self):
        super().setUp()
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.store = store.CheckpointStore(root)
        self.driver = mock.Mock(
            spec=[
                'check_instance_shared_storage_cleanup',
                'check_instance_shared_storage_local',
                'checkpoints',
                'instance_exists',
                'remove_what_came',
            ],
            checkpoints=self.store,
        )
        self.driver.instance_exists.return_value = False
        self.mark = {'filename': 'mark'}
        local = self.driver.check_instance_shared_storage_local
        local.return_value = self.mark
        self.rpc = mock.Mock(spec=['check_instance_shared_storage'])
        self.rpc.check_instance_shared_storage.return_value = False
        self.manager = types.SimpleNamespace(
            host='here', driver=self.driver, compute_rpcapi=self.rpc
        )
        self.known = {}
        self.migrations = self.patch(
            objects.MigrationList, 'get_by_filters', return_value=[]
        )
        self.patch(objects.Instance, 'get_by_uuid', side_effect=self.look_up)

    def look_up(self, context, uuid, expected_attrs=None):
        if uuid not in self.known:
            raise exception.InstanceNotFound(instance_id=uuid)
        found = self.known[uuid]
        if isinstance(found, Exception):
            raise found
        return found

    def instance(
        self, state, vm_state=vm_states.ACTIVE, task=None, host='there'
    ):
        self.known[uuids.instance] = moves.an_instance(
            state and moves.a_move(state),
            host=host,
            vm_state=vm_state,
            task_state=task,
        )

    def stays(self, uuid=uuids.instance, step=journal.Step.SENT):
        self.store.image(uuid).write_text('secrets')
        self.store.record(uuid, journal.Journal(uuids.migration, step))
        sweep.sweep(self.manager, self.context)
        left = {path.name for path in self.store.root.iterdir()}
        self.assertIn(len(left), (0, 2))
        return bool(left)

    def test_a_deleted_server(self):
        self.assertFalse(self.stays())

    def test_one_that_is_on_no_move(self):
        self.instance(None)
        self.assertFalse(self.stays())

    @ddt.data(State.OPEN, State.SAVED, State.RETURNING)
    def test_one_that_has_yet_to_go_on(self, state):
        self.instance(state, vm_states.ERROR)
        self.assertTrue(self.stays())

    def test_one_that_was_moved_without_its_state(self):
        self.instance(State.NONE, vm_states.RESIZED)
        self.assertFalse(self.stays())

    # An error may be a revert that failed when it had ended the guest.
    @ddt.data(vm_states.RESIZED, vm_states.ERROR)
    def test_one_that_may_be_reverted(self, vm_state):
        self.instance(State.RESTORED, vm_state)
        self.assertTrue(self.stays())

    @ddt.data(
        (State.RESTORED, vm_states.ACTIVE),
        # Forgotten by a confirm and by the next move, whatever came of them.
        (None, vm_states.ERROR),
    )
    @ddt.unpack
    def test_one_whose_error_is_over(self, state, vm_state):
        self.instance(State.RESTORED, vm_states.ERROR)
        self.assertTrue(self.stays())
        self.instance(state, vm_state)
        self.assertFalse(self.stays())

    def test_one_that_is_being_finished(self):
        self.instance(State.RESTORED, task=task_states.RESIZE_FINISH)
        self.assertTrue(self.stays())

    @ddt.data(vm_states.ACTIVE, vm_states.STOPPED)
    def test_one_that_has_gone_on(self, vm_state):
        self.instance(State.RESTORED, vm_state)
        self.assertFalse(self.stays())

    def test_what_is_not_known_stays_and_the_others_do_not(self):
        self.known[uuids.instance] = RuntimeError('the database is down')
        self.store.image(uuids.deleted).write_text('secrets')
        with self.assertLogs(sweep.LOG.logger, 'ERROR'):
            self.assertTrue(self.stays())
        self.assertFalse(self.store.image(uuids.deleted).exists())

    def test_half_a_journal_goes_too(self):
        (self.store.root / f'{uuids.instance}.new').write_text('{')
        self.assertFalse(self.stays())

    # The copies of the disks of a guest that was awaited and did not come.

    def removed(self, step=journal.Step.AWAITED):
        self.assertFalse(self.stays(step=step))
        calls = self.driver.remove_what_came.mock_calls
        for call in calls:
            self.assertEqual(uuids.instance, call.args[0].uuid)
        return len(calls)

    def a_migration(self, status, uuid=uuids.other):
        self.migrations.return_value.append(
            objects.Migration(uuid=uuid, status=status)
        )

    def test_it_has_stayed_where_it_was(self):
        self.instance(None)
        self.a_migration('migrating', uuids.migration)
        self.a_migration('error')
        self.assertEqual(1, self.removed())
        self.assertEqual(
            {'instance_uuid': uuids.instance, 'host': 'here'},
            self.migrations.call_args.args[1],
        )

        asked = self.rpc.check_instance_shared_storage.call_args
        self.assertEqual('there', asked.kwargs['host'])
        self.assertIs(self.mark, asked.args[1])

    def test_its_host_has_the_same_directory(self):
        self.instance(None)
        self.rpc.check_instance_shared_storage.return_value = True
        self.assertEqual(0, self.removed())
        tidy = self.driver.check_instance_shared_storage_cleanup
        tidy.assert_called_once_with(mock.ANY, self.mark)

    def test_its_disks_are_no_files(self):
        self.instance(None)
        local = self.driver.check_instance_shared_storage_local
        local.return_value = None
        self.assertEqual(0, self.removed())

    def test_its_host_does_not_answer(self):
        self.instance(None)
        self.rpc.check_instance_shared_storage.side_effect = TimeoutError
        with self.assertLogs(sweep.LOG.logger, 'ERROR'):
            self.assertTrue(self.stays(step=journal.Step.AWAITED))
        self.driver.remove_what_came.assert_not_called()
        tidy = self.driver.check_instance_shared_storage_cleanup
        tidy.assert_called_once_with(mock.ANY, self.mark)

    def test_it_was_deleted(self):
        self.assertEqual(1, self.removed())

    def test_it_may_have_been_here_before(self):
        self.instance(None)
        self.assertEqual(0, self.removed(journal.Step.RESTORING))

    def test_it_has_come_since(self):
        self.instance(None, host='here')
        self.assertEqual(0, self.removed())

    @ddt.data('accepted', 'finished', 'migrating', 'queued', 'running', '')
    def test_it_may_come_otherwise(self, status):
        self.instance(None)
        self.a_migration(status)
        self.assertEqual(0, self.removed())

    def test_libvirt_has_it(self):
        self.instance(None)
        self.driver.instance_exists.return_value = True
        self.assertEqual(0, self.removed())

    def test_it_is_still_awaited(self):
        self.instance(State.OPEN)
        self.assertTrue(self.stays(step=journal.Step.AWAITED))
        self.driver.remove_what_came.assert_not_called()

    def test_what_cannot_be_removed_is_known_the_next_time(self):
        self.driver.remove_what_came.side_effect = OSError
        with self.assertLogs(sweep.LOG.logger, 'ERROR'):
            self.assertTrue(self.stays(step=journal.Step.AWAITED))
