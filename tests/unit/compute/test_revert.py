# SPDX-License-Identifier: Apache-2.0
"""A revert that begins with a checkpoint, or is called off."""

import pathlib
from unittest import mock

import ddt
import fixtures
from nova import exception
from nova import objects
from nova.compute import manager as novas
from nova.compute import task_states
from nova.compute import utils as compute_utils
from nova.compute import vm_states
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate import rpc
from nova_numa_migrate.checkpoint import demand
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.checkpoint import store
from nova_numa_migrate.compute import acceptance
from nova_numa_migrate.compute import manager
from nova_numa_migrate.compute import revert
from nova_numa_migrate.virt import driver
from tests.unit.compute import moves

DEMAND = demand.Demand('x86_64', 'pc', 8002001, 1024)


class RevertTestCase(moves.MovesTestCase):
    def setUp(self):
        super().setUp()
        self.patch(novas.ComputeManager, '__init__', return_value=None)
        self.novas = self.patch(novas.ComputeManager, 'revert_resize')
        self.manager = manager.NumaComputeManager.__new__(
            manager.NumaComputeManager
        )
        self.manager.host = 'dst'
        self.driver = mock.create_autospec(
            driver.NumaLibvirtDriver, instance=True
        )
        self.driver.checkpoints = store.CheckpointStore(
            pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        )
        self.manager.driver = self.driver
        self.manager.rt = mock.Mock(spec=['arrived'])
        self.driver.is_gone.return_value = False
        self.driver.stands_still.return_value = False
        self.driver.demand_of.return_value = DEMAND
        self.driver.peers = mock.create_autospec(
            rpc.NumaComputeAPI, instance=True
        )
        self.home = self.driver.peers.check_return
        self.home.return_value = []
        self.patch(objects.InstanceActionEvent, 'event_start')
        self.told = self.patch(
            objects.InstanceActionEvent, 'event_finish_with_failure'
        )
        self.fault = self.patch(compute_utils, 'add_instance_fault_from_exc')
        self.save_nothing()
        self.patch(
            objects.Instance,
            'get_by_uuid',
            side_effect=lambda *_, **__: self.instance,
        )
        self.migration.status = 'reverting'
        self.migration.source_compute = 'src'
        self.know_records()
        self.move = moves.a_move(move.State.RESTORED)
        self.instance = moves.an_instance(
            self.move,
            host='dst',
            vm_state=vm_states.RESIZED,
            task_state=task_states.RESIZE_REVERTING,
        )

    def assert_called_off(self, vm_state=vm_states.RESIZED):
        self.novas.assert_not_called()
        self.manager.rt.arrived.assert_called_once_with(uuids.instance)
        self.assertEqual(
            (vm_state, None, 'finished'),
            (
                self.instance.vm_state,
                self.instance.task_state,
                self.migration.status,
            ),
        )
        self.assertTrue(self.instance.save.called)
        self.assertTrue(self.migration.save.called)

    def assert_novas(self):
        self.novas.assert_called_once_with(
            self.context,
            self.instance,
            self.migration,
            mock.sentinel.spec,
        )
        self.assertEqual(
            task_states.RESIZE_REVERTING, self.instance.task_state
        )


@ddt.ddt
class SendHomeTestCase(RevertTestCase):
    def revert(self):
        self.manager.revert_resize(
            self.context, self.instance, self.migration, mock.sentinel.spec
        )

    def remember(self, state=move.State.RESTORED, **fields):
        self.move = moves.a_move(state, **fields)
        self.move.store(self.instance.system_metadata)

    def asked(self):
        """What the source is asked for."""
        self.home.assert_called_once_with(
            self.context, 'src', self.instance, mock.ANY
        )
        return self.home.call_args.args[3]

    def assert_refused(self):
        self.assert_called_off()
        self.driver.send_home.assert_not_called()
        told = self.told.call_args.kwargs['exc_val']
        self.assertIn('no room; no memory. The guest runs on', str(told))

    @ddt.data(move.Disks.SHARED, move.Disks.MIXED, move.Disks.KEPT)
    def test_its_source_has_no_room(self, disks):
        self.remember(disks=disks)
        self.home.return_value = ['no room', 'no memory']
        self.revert()
        self.assert_refused()

    @ddt.data(move.Disks.SHARED, move.Disks.MIXED)
    def test_its_source_has_room_for_what_is_sent(self, disks):
        self.remember(disks=disks)
        self.revert()
        self.assertEqual(DEMAND, self.asked())
        self.assert_novas()

    def test_nothing_is_sent_of_one_that_goes_back(self):
        self.remember(disks=move.Disks.KEPT)
        self.revert()
        self.assertEqual(demand.Demand('x86_64', 'pc', 0, 0), self.asked())
        self.assert_novas()

    def test_its_source_does_not_answer(self):
        self.home.side_effect = rpc.Unanswered(reason='60 s')
        with self.assertLogs(revert.LOG.logger, 'WARNING'):
            self.revert()
        self.assert_novas()

    def test_its_source_fails(self):
        self.home.side_effect = exception.MigrationPreCheckError(reason='bug')
        self.revert()
        self.assert_called_off()

    def test_one_that_stays_on_its_host_must_fit_there(self):
        self.remember(in_place=True)
        at_the_return = self.patch(
            acceptance, 'at_the_return', return_value=['no room', 'no memory']
        )
        self.revert()
        at_the_return.assert_called_once_with(
            self.manager, self.instance, DEMAND
        )
        self.home.assert_not_called()
        self.assert_refused()

    @ddt.data(
        {'state': move.State.NONE},
        {'state': move.State.HOMEWARD},
        {'migration': uuids.earlier},
    )
    def test_of_the_others_it_is_not_asked(self, fields):
        self.remember(**fields)
        self.revert()
        self.home.assert_not_called()
        self.assert_novas()

    def test_nor_of_one_that_is_off(self):
        self.driver.is_gone.return_value = True
        self.revert()
        self.home.assert_not_called()
        self.assert_novas()

    def test_then_novas(self):
        self.driver.send_home.side_effect = lambda *_: (
            self.novas.assert_not_called()
        )
        self.revert()
        self.driver.send_home.assert_called_once_with(
            self.context, self.instance, self.move
        )
        self.assert_novas()

    def test_one_without_a_hint_is_novas(self):
        move.forget(self.instance.system_metadata)
        self.revert()
        self.assertEqual([], self.driver.mock_calls)
        self.home.assert_not_called()
        self.assert_novas()

    def test_the_guest_stays(self):
        self.driver.send_home.side_effect = moves.Failure
        with self.assertLogs(revert.LOG.logger, 'ERROR'):
            self.revert()
        self.assert_called_off()
        self.fault.assert_not_called()

    def test_the_guest_is_gone(self):
        self.driver.send_home.side_effect = moves.Failure
        self.driver.is_gone.return_value = True
        with self.assertLogs(revert.LOG.logger, 'ERROR'):
            self.revert()
        self.assert_called_off(vm_states.ERROR)
        self.assertIsInstance(self.fault.call_args.args[2], moves.Failure)

    def stranded(self, migration=uuids.migration, **is_gone):
        """Saved, not sent, and libvirt does not let it go on here."""
        files = self.driver.checkpoints

        def save(*_args):
            files.image(uuids.instance).write_text('memory')
            step = journal.Step.SAVED
            files.record(uuids.instance, journal.Journal(migration, step))
            self.driver.is_gone.configure_mock(**is_gone)
            raise moves.Failure

        self.driver.send_home.side_effect = save

    @ddt.data({'return_value': True}, {'side_effect': moves.Failure})
    def test_the_guest_is_in_its_checkpoint(self, is_gone):
        self.stranded(**is_gone)
        with self.assertLogs(revert.LOG.logger, 'ERROR'):
            self.revert()
        self.novas.assert_not_called()
        # The revert is to be taken up.
        self.assertEqual(
            (task_states.RESIZE_REVERTING, 'reverting'),
            (self.instance.task_state, self.migration.status),
        )
        self.instance.save.assert_not_called()

    @ddt.data(True, False)
    def test_the_guest_is_paused(self, spent):
        self.stranded(return_value=False)
        if spent:
            self.spend()
        self.driver.stands_still.return_value = True
        self.revert()
        self.assertEqual(
            task_states.RESIZE_REVERTING, self.instance.task_state
        )

    def test_the_guest_goes_on_from_it(self):
        self.stranded(return_value=False)
        self.revert()
        self.assert_called_off()

    def test_what_is_here_is_of_an_earlier_move(self):
        self.stranded(uuids.earlier, return_value=True)
        self.revert()
        self.assert_called_off(vm_states.ERROR)

    def spend(self):
        save = self.driver.send_home.side_effect

        def save_and_spend(*args):
            try:
                save(*args)
            finally:
                self.driver.checkpoints.spend(uuids.instance)

        self.driver.send_home.side_effect = save_and_spend

    def test_the_guest_may_have_run_since(self):
        self.stranded(return_value=True)
        self.spend()
        self.revert()
        self.assert_called_off(vm_states.ERROR)
