# SPDX-License-Identifier: Apache-2.0
"""Where the driver is entered for a guest that stays on its host."""

from unittest import mock

from nova.compute import task_states
from nova.virt.libvirt import driver as libvirt_driver

from nova_numa_migrate import move
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.virt import source
from tests.unit.virt import driver_base

Step = journal.Step


class InPlaceTestCase(driver_base.DriverTestCase):
    """A guest that changes its nodes and stays on its host."""

    def setUp(self):
        super().setUp()
        self.volumes = {
            'block_device_mapping': [
                {'connection_info': {'serial': 'v1'}},
                {'connection_info': {'serial': 'v2'}},
            ]
        }
        for name in ('unplug_vifs', '_disconnect_volume'):
            self.replace(name, self.noting(name))
        self.saved = self.patch(source.Departure, 'save_and_send')
        self.saves_state = self.patch(
            source.Departure, '_saves_state', return_value=True
        )
        self.patch(
            libvirt_driver.LibvirtDriver,
            'get_host_ip_addr',
            return_value=driver_base.HOME,
        )

    def migrate(self):
        return self.driver.migrate_disk_and_power_off(
            self.context,
            self.instance,
            driver_base.HOME,
            self.instance.flavor,
            mock.sentinel.network_info,
            self.volumes,
            60,
            10,
        )

    def assert_left(self, timeout):
        self.assertEqual(
            [
                ('power_off', self.instance, timeout, 10),
                ('unplug_vifs', self.instance, mock.sentinel.network_info),
                (
                    '_disconnect_volume',
                    self.context,
                    {'serial': 'v1'},
                    self.instance,
                ),
                (
                    '_disconnect_volume',
                    self.context,
                    {'serial': 'v2'},
                    self.instance,
                ),
            ],
            self.calls,
        )

    def test_it_is_saved_and_no_disk_is_touched(self):
        self.remember(move.State.OPEN, in_place=True)
        self.assertEqual('[]', self.migrate())
        self.saved.assert_called_once_with()
        self.assert_left(timeout=0)

    def test_without_its_state_it_is_powered_off(self):
        self.remember(move.State.OPEN, in_place=True)
        self.saves_state.return_value = False
        self.assertEqual('[]', self.migrate())
        self.saved.assert_not_called()
        self.assert_left(timeout=60)

    def test_the_way_back_keeps_the_directory(self):
        self.remember(move.State.RESTORED, in_place=True)
        self.checkpoint(Step.SAVED)
        self.instance.task_state = task_states.RESIZE_REVERTING
        self.assertIs(False, self.driver.delete_instance_files(self.instance))
        self.assertEqual(['.json', '.save'], self.left())
        self.assertEqual([], self.calls)

    def test_a_delete_does_not(self):
        self.remember(move.State.RESTORED, in_place=True)
        self.checkpoint(Step.SAVED)
        self.instance.task_state = task_states.DELETING
        self.driver.delete_instance_files(self.instance)
        self.assertEqual([], self.left())
        self.assertEqual(['delete_instance_files'], self.names())

    def test_nor_does_the_way_back_to_another_host(self):
        self.remember(move.State.RESTORED)
        self.instance.task_state = task_states.RESIZE_REVERTING
        self.driver.delete_instance_files(self.instance)
        self.assertEqual(['delete_instance_files'], self.names())
