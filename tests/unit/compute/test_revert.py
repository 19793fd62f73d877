# SPDX-License-Identifier: Apache-2.0
"""A revert that begins with a checkpoint, or is called off."""

from unittest import mock

import ddt
from nova import objects
from nova.compute import manager as novas
from nova.compute import task_states
from nova.compute import utils as compute_utils
from nova.compute import vm_states
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.compute import acceptance
from nova_numa_migrate.compute import manager
from nova_numa_migrate.compute import revert
from nova_numa_migrate.virt import driver
from tests.unit.compute import moves


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
        self.manager.driver = self.driver
        self.manager.rt = mock.Mock(spec=['arrived'])
        self.driver.is_gone.return_value = False
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

    def stay(self, state=move.State.RESTORED, **fields):
        """The guest has stayed on its host; may its old nodes have it?"""
        a_move = moves.a_move(state, **{'in_place': True, **fields})
        a_move.store(self.instance.system_metadata)
        self.patch(objects.InstanceActionEvent, 'event_start')
        self.told = self.patch(
            objects.InstanceActionEvent, 'event_finish_with_failure'
        )
        return self.patch(acceptance, 'at_the_return')

    def test_one_that_stays_on_its_host_must_fit_there(self):
        self.stay().side_effect = moves.Failure('node 2 is short')
        self.revert()
        self.assert_called_off()
        self.driver.send_home.assert_not_called()
        self.assertIsInstance(
            self.told.call_args.kwargs['exc_val'], moves.Failure
        )

    def test_one_that_does(self):
        at_the_return = self.stay()
        self.revert()
        at_the_return.assert_called_once_with(
            self.manager, self.context, self.instance
        )
        self.assert_novas()

    @ddt.data(
        {'state': move.State.NONE},
        {'state': move.State.HOMEWARD},
        {'in_place': False},
        {'migration': uuids.earlier},
    )
    def test_of_the_others_it_is_not_asked(self, fields):
        at_the_return = self.stay(**fields)
        self.revert()
        at_the_return.assert_not_called()
        self.assert_novas()

    def test_nor_of_one_that_is_off(self):
        at_the_return = self.stay()
        self.driver.is_gone.return_value = True
        self.revert()
        at_the_return.assert_not_called()
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
