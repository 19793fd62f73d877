# SPDX-License-Identifier: Apache-2.0
"""A save that the service did not see the end of, by what libvirt says."""

import pathlib
import types
from unittest import mock

import ddt
import fixtures
from nova import exception
from nova import objects
from nova import test
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host
from oslo_utils.fixture import uuidsentinel as uuids
import tenacity

from nova_numa_migrate.checkpoint import store
from nova_numa_migrate.virt import driver
from nova_numa_migrate.virt import interrupted

Ending = interrupted.Ending


class InterruptedTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        patcher = mock.patch.object(libvirt_guest, 'libvirt', fakelibvirt)
        patcher.start()
        self.addCleanup(patcher.stop)
        patcher = mock.patch('time.sleep', autospec=True)
        self.sleep = patcher.start()
        self.addCleanup(patcher.stop)
        self.driver = mock.create_autospec(
            driver.NumaLibvirtDriver, instance=True
        )
        self.driver._host = mock.create_autospec(
            libvirt_host.Host, instance=True
        )
        self.driver.is_gone.return_value = True
        self.driver.checkpoints = mock.create_autospec(
            store.CheckpointStore, instance=True
        )
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.image = self.driver.checkpoints.image.return_value = root / 'u'
        self.driver.checkpoints.is_spent.return_value = False
        self.image.touch()
        self.jobs = []
        self.guest = guest = self.driver._host.get_guest.return_value
        guest.get_job_info.side_effect = lambda: libvirt_guest.JobInfo(
            type=self.jobs.pop(0) if self.jobs else 0
        )
        connection = self.driver._host.get_connection.return_value
        self.read = connection.saveImageGetXMLDesc


@ddt.ddt
class EndingTestCase(InterruptedTestCase):
    def ending(self):
        return interrupted.ending(
            self.driver, objects.Instance(uuid=uuids.instance)
        )

    def refuse(self, code):
        self.read.side_effect = fakelibvirt.make_libvirtError(
            fakelibvirt.libvirtError, 'no', error_code=code
        )

    def test_it_runs_on(self):
        self.driver.is_gone.return_value = False
        self.assertIs(Ending.HERE, self.ending())
        self.read.assert_not_called()

    def test_it_is_off_and_the_file_whole(self):
        self.assertIs(Ending.SAVED, self.ending())
        self.read.assert_called_once_with(str(self.image), 0)

    def test_it_is_off_and_the_file_is_not_whole(self):
        self.refuse(fakelibvirt.VIR_ERR_OPERATION_FAILED)
        self.assertIs(Ending.LOST, self.ending())

    def test_libvirt_has_removed_what_it_could_not_write(self):
        self.image.unlink()
        self.assertIs(Ending.LOST, self.ending())
        self.read.assert_not_called()

    def test_what_libvirt_does_not_say_is_not_guessed(self):
        self.refuse(fakelibvirt.VIR_ERR_INTERNAL_ERROR)
        self.assertRaises(fakelibvirt.libvirtError, self.ending)

    @ddt.data(
        fakelibvirt.VIR_DOMAIN_JOB_BOUNDED,
        fakelibvirt.VIR_DOMAIN_JOB_UNBOUNDED,
    )
    def test_a_save_that_goes_on_is_waited_for(self, job):
        self.jobs = [job, job]
        self.driver.is_gone.side_effect = lambda _: not self.jobs
        self.assertIs(Ending.SAVED, self.ending())
        self.assertEqual(2, self.sleep.call_count)

    def test_but_not_for_ever(self):
        self.jobs = [fakelibvirt.VIR_DOMAIN_JOB_UNBOUNDED] * 3
        with mock.patch.object(interrupted, '_PATIENCE', 0):
            self.assertRaises(tenacity.RetryError, self.ending)
        self.driver.is_gone.assert_not_called()

    def test_a_domain_that_libvirt_has_forgotten(self):
        self.driver._host.get_guest.side_effect = exception.InstanceNotFound(
            instance_id='u'
        )
        self.assertIs(Ending.SAVED, self.ending())


class GoesOnTestCase(InterruptedTestCase):
    STATES = types.SimpleNamespace(
        VIR_DOMAIN_RUNNING=1,
        VIR_DOMAIN_PAUSED=3,
        VIR_DOMAIN_PAUSED_STARTING_UP=11,
        VIR_DOMAIN_JOB_NONE=0,
        VIR_DOMAIN_JOB_BOUNDED=1,
        VIR_DOMAIN_JOB_UNBOUNDED=2,
    )

    def setUp(self):
        super().setUp()
        patcher = mock.patch.object(libvirt_guest, 'libvirt', self.STATES)
        patcher.start()
        self.addCleanup(patcher.stop)

    def goes_on(self, state, reason=0, active=True):
        self.guest._domain.state.return_value = (state, reason)
        self.guest.is_active.return_value = active
        return interrupted.goes_on(
            self.driver, objects.Instance(uuid=uuids.instance)
        )

    def test_it_runs(self):
        self.assertTrue(self.goes_on(self.STATES.VIR_DOMAIN_RUNNING))
        self.guest.resume.assert_not_called()

    def test_it_waits_to_go_on(self):
        spend = self.driver.checkpoints.spend
        self.guest.resume.side_effect = spend.assert_called_once
        self.assertTrue(self.goes_on(self.STATES.VIR_DOMAIN_PAUSED))
        self.guest.resume.assert_called_once_with()
        spend.assert_called_once_with(uuids.instance)

    def test_it_stands_still_of_its_own(self):
        """libvirt stops a guest whose disk is full; nothing is to be spent."""
        self.image.unlink()
        self.assertTrue(self.goes_on(self.STATES.VIR_DOMAIN_PAUSED))
        self.driver.checkpoints.spend.assert_not_called()
        self.guest.resume.assert_not_called()

    def test_the_restore_is_waited_for(self):
        self.jobs = [1, 1]
        self.goes_on(self.STATES.VIR_DOMAIN_PAUSED)
        self.assertEqual(2, self.sleep.call_count)

    def test_libvirt_ended_in_the_middle_of_its_start(self):
        self.assertFalse(
            self.goes_on(
                self.STATES.VIR_DOMAIN_PAUSED,
                self.STATES.VIR_DOMAIN_PAUSED_STARTING_UP,
                active=False,
            )
        )
        self.guest.poweroff.assert_called_once_with()
        self.guest.resume.assert_not_called()
        self.driver.checkpoints.spend.assert_not_called()

    def test_it_is_off(self):
        self.assertFalse(self.goes_on(5, active=False))

    def test_it_is_not_there(self):
        self.driver._host.get_guest.side_effect = exception.InstanceNotFound(
            instance_id='u'
        )
        self.assertFalse(self.goes_on(0))


@ddt.ddt
class TakeAwayTestCase(InterruptedTestCase):
    """Before a guest is restored once more."""

    def take_away(self, state=fakelibvirt.VIR_DOMAIN_PAUSED, spent=False):
        self.guest._domain.state.return_value = (state, 0)
        self.driver.checkpoints.is_spent.return_value = spent
        interrupted.take_away(
            self.driver, objects.Instance(uuid=uuids.instance)
        )
        return self.guest.poweroff.called

    def test_it_has_not_run(self):
        self.assertTrue(self.take_away())

    def test_it_has_run(self):
        self.assertFalse(self.take_away(spent=True))

    @ddt.data(fakelibvirt.VIR_DOMAIN_RUNNING, fakelibvirt.VIR_DOMAIN_SHUTOFF)
    def test_it_does_not_stand_still(self, state):
        self.assertFalse(self.take_away(state))

    def test_it_is_not_there(self):
        self.driver._host.get_guest.side_effect = exception.InstanceNotFound(
            instance_id='u'
        )
        self.assertFalse(self.take_away())
