# SPDX-License-Identifier: Apache-2.0
"""Where the driver is entered on the host that a guest leaves."""

import threading
from unittest import mock

import ddt
from nova.compute import task_states
from nova.virt.libvirt import driver as libvirt_driver
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.virt import source
from tests.unit.virt import driver_base

Step = journal.Step


@ddt.ddt
class SourceTestCase(driver_base.DriverTestCase):
    def setUp(self):
        super().setUp()
        self.saved = self.patch(source.Departure, 'save_and_send')
        self.patch(source.Departure, '_saves_state', return_value=True)
        self.patch(
            source.Departure,
            '_disks_at_a_revert',
            return_value=move.Disks.KEPT,
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
            '10.1.0.12',
            self.instance.flavor,
            mock.sentinel.network_info,
            mock.sentinel.volumes,
            60,
            10,
        )

    def powering_off(self, *instances):
        def power_off():
            for instance in instances:
                self.driver.power_off(instance, 60, 10)
            return 'disks'

        name = 'migrate_disk_and_power_off'
        self.replace(name, self.noting(name, power_off))

    def test_without_a_move_all_is_novas(self):
        self.powering_off(self.instance)
        self.assertEqual('disks', self.migrate())
        self.saved.assert_not_called()
        self.assertEqual(
            [
                (
                    'migrate_disk_and_power_off',
                    self.context,
                    self.instance,
                    '10.1.0.12',
                    self.instance.flavor,
                    mock.sentinel.network_info,
                    mock.sentinel.volumes,
                    60,
                    10,
                ),
                ('power_off', self.instance, 60, 10),
            ],
            self.calls,
        )

    def test_with_one_the_guest_is_saved_and_the_rest_of_a_power_off_done(
        self,
    ):
        self.remember(move.State.OPEN)
        self.powering_off(self.instance)
        self.assertEqual('disks', self.migrate())
        self.saved.assert_called_once_with()
        self.assertEqual(('power_off', self.instance, 0, 10), self.calls[-1])

    def test_only_the_first_power_off_of_only_this_guest(self):
        self.remember(move.State.OPEN)
        other = self.an_instance(uuids.other)
        self.powering_off(other, self.instance, self.instance)
        self.migrate()
        self.assertEqual(1, self.saved.call_count)
        self.assertEqual(
            [(other, 60), (self.instance, 0), (self.instance, 60)],
            [call[1:3] for call in self.calls if call[0] == 'power_off'],
        )

    def test_not_in_another_thread(self):
        self.remember(move.State.OPEN)

        def elsewhere():
            thread = threading.Thread(
                target=self.driver.power_off, args=(self.instance, 60)
            )
            thread.start()
            thread.join()
            return 'disks'

        name = 'migrate_disk_and_power_off'
        self.replace(name, self.noting(name, elsewhere))
        self.migrate()
        self.saved.assert_not_called()

    def test_not_after_a_failure(self):
        self.remember(move.State.OPEN)

        def fail():
            raise driver_base.Failure

        name = 'migrate_disk_and_power_off'
        self.replace(name, self.noting(name, fail))
        self.assertRaises(Exception, self.migrate)  # noqa: H202
        self.driver.power_off(self.instance, 60)
        self.saved.assert_not_called()

    def test_a_confirm_removes_the_checkpoint(self):
        self.checkpoint(Step.SENT)
        self.driver.confirm_migration(
            self.context, mock.sentinel.migration, self.instance, None
        )
        self.assertEqual([], self.left())
        self.assertEqual(['confirm_migration'], self.names())

    def test_the_end_here_of_a_guest_on_its_way_home_keeps_it(self):
        self.remember(move.State.HOMEWARD)
        self.checkpoint(Step.SENT)
        self.instance.task_state = task_states.RESIZE_REVERTING
        self.driver.delete_instance_files(self.instance)
        self.assertEqual(['.json', '.save'], self.left())

    @ddt.data(None, move.State.SAVED, move.State.HOMEWARD)
    def test_so_does_a_delete(self, state):
        if state is not None:
            self.remember(state)
        self.checkpoint(Step.SENT)
        self.instance.task_state = task_states.DELETING
        self.driver.delete_instance_files(self.instance)
        self.assertEqual([], self.left())
        self.assertEqual(['delete_instance_files'], self.names())
