# SPDX-License-Identifier: Apache-2.0
"""What the manager does before it lets Nova's own go on."""

import ddt
from nova import exception
from nova import objects
from nova.compute import manager as novas
from nova.compute import task_states
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate.compute import arrivals
from nova_numa_migrate.compute import attachments
from nova_numa_migrate.compute import departures
from nova_numa_migrate.compute import halves
from nova_numa_migrate.compute import manager
from nova_numa_migrate.compute import recovery
from nova_numa_migrate.compute import sweep
from tests.unit import patching


@ddt.ddt
class ManagerTestCase(patching.PatchingTestCase):
    def setUp(self):
        super().setUp()
        self.manager = object.__new__(manager.NumaComputeManager)
        self.manager.host = 'here'
        self.instance = objects.Instance(
            uuid=uuids.instance, host='here', instance_type_id=1
        )

    def check(self, flavor=1):
        self.manager._check_changes(self.instance, objects.Flavor(id=flavor))

    def test_a_plain_migration_that_changes_nothing(self):
        error = self.assertRaises(exception.InstanceFaultRollback, self.check)
        self.assertIsInstance(
            error.inner_exception, exception.UnableToMigrateToSelf
        )

    def test_a_resize_on_its_host(self):
        self.check(flavor=2)

    def test_a_migration_from_another_host(self):
        self.instance.host = 'there'
        self.check()

    @ddt.data(True, False)
    def test_disks_of_another_host_are_nova_s_to_look_for(self, shared):
        novas_own = self.patch(
            novas.ComputeManager,
            '_is_instance_storage_shared',
            return_value=shared,
        )
        found = self.manager._is_instance_storage_shared
        self.assertIs(shared, found('context', self.instance, host='there'))
        self.assertIs(shared, found('context', self.instance))
        self.assertEqual(2, novas_own.call_count)

    def test_a_host_does_not_ask_itself(self):
        found = self.manager._is_instance_storage_shared
        self.assertIs(True, found('context', self.instance, host='here'))

    def test_what_has_stayed_is_known_before_the_resources_are_counted(self):
        calls = []
        for where, name in (
            (novas.ComputeManager, 'pre_start_hook'),
            (departures, 'recover'),
            (recovery, 'recover'),
            (halves, 'take_up'),
            (arrivals, 'take_up'),
            (sweep, 'sweep'),
        ):
            self.patch(
                where,
                name,
                side_effect=lambda *_, called=where: calls.append(called),
            )
        self.manager.pre_start_hook('service')
        self.assertEqual(
            [
                departures,
                novas.ComputeManager,
                recovery,
                halves,
                arrivals,
                sweep,
            ],
            calls,
        )

    @ddt.data((task_states.RESIZE_MIGRATING, 1), (None, 0))
    @ddt.unpack
    def test_the_volumes_of_a_guest_are_known_before_nova_starts_it(
        self, task, times
    ):
        self.instance.task_state = task
        novas_own = self.patch(novas.ComputeManager, '_init_instance')
        renew = self.patch(attachments, 'renew')
        renew.side_effect = lambda *_: novas_own.assert_not_called()
        self.manager._init_instance('context', self.instance)
        self.assertEqual(times, renew.call_count)
        novas_own.assert_called_once_with('context', self.instance)

    @ddt.data(('_reboot_instance', 'disks', 'HARD'), ('start_instance',))
    @ddt.unpack
    def test_what_starts_a_guest_ends_its_move(self, name, *args):
        novas_own = self.patch(novas.ComputeManager, name)
        renew = self.patch(attachments, 'renew')
        # Before, as it is connected by that.
        renew.side_effect = lambda *_: novas_own.assert_not_called()
        end = self.patch(departures, 'end')
        start = getattr(self.manager, name)
        start('context', self.instance, *args)
        novas_own.assert_called_once_with('context', self.instance, *args)
        for ours in renew, end:
            ours.assert_called_once_with(
                self.manager, 'context', self.instance
            )
        renew.side_effect = None
        # But for a failure of it.
        novas_own.side_effect = ValueError
        self.assertRaises(ValueError, start, 'context', self.instance, *args)
        end.assert_called_once()
