# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong from node to node, the guest runs with its state."""

from __future__ import annotations

from unittest import mock

from nova.compute import rpcapi
import oslo_messaging as messaging

from nova_numa_migrate.compute import arrivals
from nova_numa_migrate.compute import under_way
from nova_numa_migrate.move import MOVE_KEY
from tests.functional import failing
from tests.functional import fake_libvirt
from tests.functional import test_same_host
from tests.functional.test_same_host import HERE


class FailuresTest(test_same_host.SameHostMixin, failing.FailingTestCase):
    def _fails(self, failure):
        with (
            self.assert_goes_on(self.server),
            self.assert_disks_stay(self.server),
            failure,
        ):
            self.post_migrate(self.server, [3, 2], HERE)
            self.wait_for_failure(self.server)
        self._assert_home()

    def _assert_home(self):
        self.assert_as_before()
        self.assert_booked([0, 1])
        with self.assert_goes_on(self.server):
            self.move(self.server, [3, 2])
        self.assert_on_nodes(self.server, [3, 2])

    def test_the_node_is_short_of_memory(self):
        self.nodes.set(2, 512 + 127)
        with self.assert_goes_on(self.server):
            self.post_migrate(self.server, [3, 2], HERE)
            self.wait_for_failure(self.server)
        self.assert_as_before()
        details = self.failed_events()['compute_prep_resize']
        self.assertIn('node 2 has 639 MiB free now', details)

    def test_the_save_fails(self):
        self._fails(
            mock.patch.object(
                fake_libvirt.Domain, 'saveFlags', failing.libvirt_error
            )
        )

    def test_it_fails_after_the_save(self):
        name = 'nova_numa_migrate.privsep.take_over'
        self._fails(
            mock.patch(name, autospec=True, side_effect=OSError('full'))
        )

    def test_its_ports_are_not_let_go(self):
        self._fails(
            mock.patch(
                'nova.virt.libvirt.LibvirtDriver.unplug_vifs',
                failing.libvirt_error,
            )
        )

    def test_it_cannot_be_handed_over(self):
        start = 'nova.network.neutron.API.migrate_instance_start'
        bug = ValueError('Neutron is down')
        with (
            self.assert_goes_on(self.server),
            self.assert_disks_stay(self.server),
            mock.patch(start, autospec=True, side_effect=bug),
        ):
            self.post_migrate(self.server, [3, 2], HERE)
            self.wait_until_home('error')
        self._assert_home()

    def test_the_source_fails_when_it_was_handed_over(self):
        bug = ValueError('a bug')
        manager = self.computes[HERE].manager
        with (
            self.assert_goes_on(self.server),
            mock.patch.object(
                manager.instance_events,
                'clear_events_for_instance',
                autospec=True,
                side_effect=bug,
            ),
        ):
            self.post_migrate(self.server, [3, 2], HERE)
            # Nobody hears of it: the error would take the other's task away.
            self.wait_for(self.server, 'VERIFY_RESIZE')
        self.assert_on_nodes(self.server, [3, 2])

    def _restore_fails(self, times):
        restore = fake_libvirt.Connection.restoreFlags
        failures = iter([True] * times)

        def restore_or_fail(*args):
            if next(failures, False):
                failing.libvirt_error()
            restore(*args)

        return mock.patch.object(
            fake_libvirt.Connection, 'restoreFlags', restore_or_fail
        )

    def test_the_restore_fails(self):
        with (
            self.assert_goes_on(self.server),
            self.assert_disks_stay(self.server),
            self._restore_fails(1),
        ):
            self.post_migrate(self.server, [3, 2], HERE)
            self.wait_until_home('reverted')
        self._assert_home()

    def test_it_cannot_start_at_home_either(self):
        with self._restore_fails(2):
            self.post_migrate(self.server, [3, 2], HERE)
            self.wait_for(self.server, 'ERROR')
        self.assertEqual([], self.running_on(self.server))
        image = f'{self.server["id"]}.save'
        self.assertIn(image, self.checkpoint_files()[HERE])

    def _reverted(self):
        self.post_action(self.server, {'revertResize': None})
        self._wait_for_server_parameter(
            self.server, {'OS-EXT-STS:task_state': None}
        )

    def test_a_revert_that_cannot_save(self):
        self.move(self.server, [3, 2])
        with self.assert_goes_on(self.server):
            with mock.patch.object(
                fake_libvirt.Domain, 'saveFlags', failing.libvirt_error
            ):
                self._reverted()
            details = self.failed_events()['numa_migrate_checkpoint']
            self.assertIn('on fire', details)
            self.assert_stayed(self.server)
            # And once more, when it can.
            self.revert(self.server)
        self.assert_on_nodes(self.server, [0, 1])
        self.assert_booked([0, 1])

    def test_a_revert_to_nodes_that_are_short_of_memory(self):
        self.move(self.server, [3, 2])
        self.nodes.set(1, 512 + 127)
        with self.assert_goes_on(self.server):
            self._reverted()
            details = self.failed_events()['numa_migrate_check']
            self.assertIn('node 1 has 639 MiB free now', details)
            self.assert_stayed(self.server)
            self.nodes.set(1, 512 + 128)
            self.revert(self.server)
        self.assert_on_nodes(self.server, [0, 1])

    def test_a_revert_that_fails_right_after_the_save(self):
        self.move(self.server, [3, 2])
        name = 'nova_numa_migrate.privsep.take_over'
        with self.assert_goes_on(self.server):
            with mock.patch(name, autospec=True, side_effect=OSError('full')):
                self._reverted()
            self.assert_stayed(self.server)

    def test_a_revert_that_cannot_ask_for_its_second_half(self):
        self.move(self.server, [3, 2])
        with self.assert_goes_on(self.server):
            with mock.patch.object(
                rpcapi.ComputeAPI,
                'finish_revert_resize',
                autospec=True,
                side_effect=messaging.MessagingTimeout,
            ):
                self.post_action(self.server, {'revertResize': None})
                self._wait_for_assert(self._assert_left_half_way)
            with mock.patch.object(arrivals, 'PATIENCE', 0):
                self.computes[HERE].manager._take_up_moves(self.ctxt)
            self.wait_until_home('reverted')
        self._assert_home()

    def _assert_left_half_way(self):
        self.assertIn('compute_revert_resize', self.failed_events())
        instance = self.instance(self.server)
        self.assertFalse(under_way.is_busy('revert', instance))
        self.assertEqual('resize_reverting', instance.task_state)

    def test_a_revert_of_a_guest_that_has_ended(self):
        self.move(self.server, [3, 2])
        boot_id = self.guest(self.server).memory.boot_id
        self.guest(self.server).destroy()
        self._reverted()
        self.assertNotEqual(boot_id, self.guest(self.server).memory.boot_id)
        self.assert_on_nodes(self.server, [0, 1])
        self.assertNotIn(MOVE_KEY, self.instance(self.server).system_metadata)


class RestartTest(test_same_host.SameHostMixin, failing.FailingTestCase):
    """The service dies at each step of the journal."""

    def _move(self):
        self.post_migrate(self.server, [3, 2], HERE)

    def _revert(self):
        self.post_action(self.server, {'revertResize': None})

    def _dies(self, method, where, name, replacement, begin=None):
        with self.assert_goes_on(self.server):
            self.kill(
                HERE, method, where, name, replacement, begin or self._move
            )
            self.restart_compute_service(HERE)
            self._wait_for_server_parameter(
                self.server, {'OS-EXT-STS:task_state': None}
            )

    def _dies_in_libvirt(self, method, where, name, does_it, begin=None):
        step = getattr(where, name)

        def step_or_not(*args):
            if does_it:
                step(*args)
            raise failing.Killed

        self._dies(method, where, name, step_or_not, begin)

    def _assert_home(self):
        self.assertEqual(
            'ACTIVE', self.admin_api.get_server(self.server['id'])['status']
        )
        self.assert_as_before()
        self.assert_booked([0, 1])

    def test_before_the_save(self):
        self._dies_in_libvirt(
            'resize_instance', fake_libvirt.Domain, 'saveFlags', False
        )
        self._assert_home()

    def test_as_the_save_ends(self):
        self._dies_in_libvirt(
            'resize_instance', fake_libvirt.Domain, 'saveFlags', True
        )
        self._assert_home()

    def test_after_the_save(self):
        driver = self.computes[HERE].driver
        self._dies('resize_instance', driver, 'unplug_vifs', failing.killed)
        self._assert_home()

    def test_before_the_restore(self):
        self._dies_in_libvirt(
            'finish_resize', fake_libvirt.Connection, 'restoreFlags', False
        )
        self._assert_home()

    def test_after_the_restore(self):
        self._dies_in_libvirt(
            'finish_resize', fake_libvirt.Connection, 'restoreFlags', True
        )
        self.assert_stayed(self.server)

    # A revert that was interrupted is called off, and may be tried again.

    def test_before_the_save_of_a_revert(self):
        self._dies_in_a_revert(does_save=False)

    def test_as_the_save_of_a_revert_ends(self):
        self._dies_in_a_revert(does_save=True)

    def _dies_in_a_revert(self, does_save):
        self.move(self.server, [3, 2])
        self._dies_in_libvirt(
            'revert_resize',
            fake_libvirt.Domain,
            'saveFlags',
            does_save,
            self._revert,
        )
        self.assert_stayed(self.server)
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self._assert_home()

    def test_when_a_revert_takes_the_guest_down(self):
        self.move(self.server, [3, 2])
        self._dies(
            'revert_resize',
            self.computes[HERE].driver,
            'destroy',
            failing.killed,
            self._revert,
        )
        self._assert_home()
