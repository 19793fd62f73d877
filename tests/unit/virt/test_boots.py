# SPDX-License-Identifier: Apache-2.0
"""Which guests Nova may boot when their host has come up again."""

import ddt
from nova import exception as nova_exception
from nova.compute import task_states

from nova_numa_migrate import move
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.virt import boots
from nova_numa_migrate.virt import driver
from tests.unit.virt import driver_base

NAME = 'resume_state_on_host_boot'


@ddt.ddt
class ResumeTestCase(driver_base.DriverTestCase):
    def setUp(self):
        super().setUp()
        self.replace(NAME, self.noting(NAME))
        self.gone = self.patch(
            driver.NumaLibvirtDriver, 'is_gone', return_value=True
        )
        self.instance.task_state = None

    def resume(self):
        arguments = self.context, self.instance, 'network', 'shares', 'disks'
        self.driver.resume_state_on_host_boot(*arguments)
        return self.calls == [(NAME, *arguments)]

    def assert_waits(self, why):
        with self.assertLogs(boots.LOG.logger, 'WARNING') as logged:
            self.assertFalse(self.resume())
        self.assertEqual([], self.calls)
        self.assertIn(why, logged.output[0])

    @ddt.data(None, task_states.RESIZE_FINISH)
    def test_one_without_a_hint(self, task_state):
        self.instance.task_state = task_state
        self.assertTrue(self.resume())

    @ddt.data(
        task_states.RESIZE_MIGRATING,
        task_states.RESIZE_MIGRATED,
        task_states.RESIZE_FINISH,
        task_states.RESIZE_REVERTING,
    )
    def test_one_on_its_way(self, task_state):
        self.instance.task_state = task_state
        self.remember(move.State.RESTORED)
        self.assert_waits(task_state)

    @ddt.data(move.State.OPEN, move.State.SAVED, move.State.RETURNING)
    def test_one_that_is_in_its_checkpoint(self, state):
        self.remember(state)
        self.checkpoint(journal.Step.SENT)
        self.assert_waits('reboot --hard')

    def test_one_of_which_libvirt_does_not_say(self):
        self.remember()
        self.checkpoint(journal.Step.SENT)
        self.gone.side_effect = nova_exception.HypervisorUnavailable
        self.assert_waits('reboot --hard')

    def test_one_that_has_moved(self):
        self.remember(move.State.RESTORED)
        self.assertTrue(self.resume())

    def test_one_whose_move_had_not_begun(self):
        self.remember(move.State.OPEN)
        self.assertTrue(self.resume())


class SpawnTestCase(driver_base.DriverTestCase):
    def setUp(self):
        super().setUp()
        self.stored = []
        self.replace('spawn', self.noting('spawn', self.store))

    def store(self):
        self.stored.append(dict(self.instance.system_metadata))

    def spawn(self):
        self.driver.spawn(self.context, self.instance, 'image')
        self.assertEqual(
            [('spawn', self.context, self.instance, 'image')], self.calls
        )

    def test_what_was_saved_before_is_forgotten_first(self):
        self.remember()
        self.spawn()
        self.assertEqual([{}], self.stored)
        self.saves.assert_called_once_with()

    def test_one_without_a_move_is_novas(self):
        self.spawn()
        self.saves.assert_not_called()
