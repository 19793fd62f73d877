# SPDX-License-Identifier: Apache-2.0
"""Which guests Nova may boot from their disks, and what that ends."""

import ddt
from nova import exception as nova_exception
from nova.compute import task_states
from oslo_service import loopingcall
from oslo_utils.fixture import uuidsentinel as uuids

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


@ddt.ddt
class BootTestCase(driver_base.DriverTestCase):
    """Whatever of Nova's boots a guest, its state is of before that."""

    def setUp(self):
        super().setUp()
        self.peers = self.know_the_destination()
        self.patch(
            driver.NumaLibvirtDriver,
            'get_host_ip_addr',
            return_value=driver_base.HOME,
        )

    def boot(self, **how):
        self.driver._create_guest(self.context, '<x/>', self.instance, **how)
        self.assertEqual(['_create_guest'], self.names())

    def state(self):
        return move.Move.of(self.instance.system_metadata).state

    @ddt.data(move.State.SAVED, move.State.RETURNING, move.State.HOMEWARD)
    def test_its_state_is_given_up(self, state):
        self.remember(state)
        self.checkpoint(journal.Step.SENT)
        self.boot()
        self.assertIs(move.State.NONE, self.state())
        self.saves.assert_called_once_with()
        self.assertEqual([], self.left())

    def test_the_state_of_one_that_waits_for_its_ports(self):
        self.remember()
        self.checkpoint(journal.Step.SENT)
        self.boot(power_on=False, pause=True)
        self.assertEqual([], self.left())

    def test_nor_may_the_other_host_s_be_fetched(self):
        self.remember(move.State.HOMEWARD)
        self.boot()
        self.assertIs(move.State.NONE, self.state())
        self.peers.discard_checkpoint.assert_called_once_with(
            self.context, 'compute2', self.instance, uuids.migration
        )

    def test_it_was_saved_before_that_was_known(self):
        self.remember(move.State.OPEN)
        self.checkpoint(journal.Step.SAVED)
        self.boot()
        self.assertIs(move.State.NONE, self.state())

    def assert_kept(self, state, **how):
        self.boot(**how)
        self.assertIs(state, self.state())
        self.assertEqual(['.json', '.save'], self.left())

    @ddt.data(
        (move.State.OPEN, journal.Step.AWAITED),
        # A revert takes it back to the files of before.
        (move.State.RESTORED, journal.Step.SENT),
        (move.State.NONE, journal.Step.SENT),
    )
    @ddt.unpack
    def test_there_is_nothing_to_be_given_up(self, state, step):
        self.remember(state)
        self.checkpoint(step)
        self.assert_kept(state)

    def test_it_stays_off(self):
        self.remember()
        self.checkpoint(journal.Step.SENT)
        self.assert_kept(move.State.SAVED, power_on=False)


class WaitTestCase(driver_base.DriverTestCase):
    """Nova asks again and again whether a guest runs."""

    def setUp(self):
        super().setUp()
        self.replace('_wait_for_running', self.noting('_wait_for_running'))
        self.checkpoint(journal.Step.SENT)

    def test_not_for_one_that_was_restored(self):
        """Whatever it has done since."""
        self.driver.checkpoints.spend(uuids.instance)
        self.assertRaises(
            loopingcall.LoopingCallDone,
            self.driver._wait_for_running,
            self.instance,
        )
        self.assertEqual([], self.calls)

    def test_for_any_other(self):
        self.driver._wait_for_running(self.instance)
        self.assertEqual(['_wait_for_running'], self.names())


class RescueTestCase(driver_base.DriverTestCase):
    """A rescue writes to the guest's disks."""

    def setUp(self):
        super().setUp()
        self.replace('rescue', self.noting('rescue'))
        self.patch(driver.NumaLibvirtDriver, 'is_gone', return_value=True)

    def rescue(self):
        self.driver.rescue(self.context, self.instance, 'network', 'image')

    def test_one_that_is_in_its_checkpoint(self):
        self.remember()
        self.checkpoint(journal.Step.SENT)
        error = self.assertRaises(nova_exception.NovaException, self.rescue)
        # Nova cuts off what is longer, with its own words before it.
        self.assertLess(len(str(error)), 190)
        self.assertIn('reboot --hard', str(error))
        self.assertEqual([], self.calls)
        self.assertEqual(['.json', '.save'], self.left())

    def test_one_that_is_not(self):
        self.remember(move.State.RESTORED)
        self.checkpoint(journal.Step.SENT)
        self.rescue()
        self.assertEqual(['rescue'], self.names())
