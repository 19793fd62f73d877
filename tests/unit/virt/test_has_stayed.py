# SPDX-License-Identifier: Apache-2.0
"""Whether a guest that a move has left is where it was."""

from nova import exception
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.virt import driver
from tests.unit.virt import driver_base


class HasStayedTestCase(driver_base.DriverTestCase):
    def setUp(self):
        super().setUp()
        self.is_gone = self.patch(
            driver.NumaLibvirtDriver, 'is_gone', return_value=True
        )
        self.goes_on = self.patch(driver.NumaLibvirtDriver, 'goes_on')
        self.instances = self.root / 'instances'
        self.flags(instances_path=str(self.instances))
        self.remember(move.State.OPEN)

    def has_stayed(self):
        return self.driver.has_stayed(self.instance)

    def put_aside(self):
        (self.instances / f'{uuids.instance}_resize').mkdir(parents=True)

    def test_one_that_runs(self):
        self.is_gone.return_value = False
        # An earlier migration may have left that.
        self.put_aside()
        self.assertTrue(self.has_stayed())

    def test_one_that_is_off_and_was_not_touched(self):
        self.assertTrue(self.has_stayed())

    def test_nobody_knows_of_one_that_is_off_and_changes_its_nodes(self):
        self.remember(move.State.OPEN, in_place=True)
        self.assertFalse(self.has_stayed())

    def test_not_one_whose_disks_have_left(self):
        """Nova alone knows how to take them back."""
        self.put_aside()
        self.assertFalse(self.has_stayed())

    def test_not_one_that_is_off_and_may_be_in_its_checkpoint(self):
        self.checkpoint(journal.Step.SAVING)
        self.assertFalse(self.has_stayed())

    def test_one_that_stands_still_before_it_goes_on_has_to(self):
        self.is_gone.return_value = False
        self.checkpoint(journal.Step.SAVED)
        self.driver.checkpoints.spend(uuids.instance)
        for goes_on in (True, False):
            self.goes_on.return_value = goes_on
            self.assertIs(goes_on, self.has_stayed())

    def test_libvirt_does_not_say(self):
        self.is_gone.side_effect = exception.HypervisorUnavailable
        self.assertRaises(exception.HypervisorUnavailable, self.has_stayed)
