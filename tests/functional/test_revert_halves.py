# SPDX-License-Identifier: Apache-2.0
"""A revert stops between its halves, where the guest runs nowhere."""

from __future__ import annotations

import contextlib
from unittest import mock

from nova import exception
from nova import objects
from nova.compute import manager
from nova.compute import resource_tracker
from nova.compute import rpcapi
import oslo_messaging as messaging

from nova_numa_migrate.checkpoint.store import CheckpointStore
from nova_numa_migrate.compute import arrivals
from nova_numa_migrate.compute import under_way
from nova_numa_migrate.virt import driver
from tests.functional import failing
from tests.functional import fake_libvirt


class HalvesTestCase(failing.FailingTestCase):
    """The guest has been moved to compute2, and is as it was then."""

    def setUp(self):
        super().setUp()
        self.memory = self.guest(self.server).memory
        self.boot_id, self.counter = self.memory.boot_id, self.memory.tick()
        self.hinted_migrate(self.server, [3, 2])
        self.guest(self.server).memory.tick()

    def post_revert(self):
        self.post_action(self.server, {'revertResize': None})

    def take_up(self, host):
        with mock.patch.object(arrivals, 'PATIENCE', 0):
            self.computes[host].manager._take_up_moves(self.ctxt)

    def wait_until_it_has_failed(self, half, host):
        """And is left: it waits for the service, nobody else may touch it."""
        self._wait_for_assert(
            lambda: self.assertIn(half, self.failed_events())
        )
        self._wait_for_assert(self.assert_half_way)
        self._wait_for_assert(self._assert_nobody_is_at_it)
        self.assertEqual(host, self.host_of(self.server))

    def _assert_nobody_is_at_it(self):
        instance = self.instance(self.server)
        for half in ('revert', 'return'):
            self.assertFalse(under_way.is_busy(half, instance))

    def assert_half_way(self):
        server = self.admin_api.get_server(self.server['id'])
        self.assertEqual(
            ('REVERT_RESIZE', 'resize_reverting'),
            (server['status'], server['OS-EXT-STS:task_state']),
        )
        self.assertEqual([], self.running_on(self.server))
        self.assertIn(
            f'{self.server["id"]}.save', self.checkpoint_files()['compute1']
        )

    def assert_goes_on_at_home(self):
        """From the instant in which it left."""
        self._wait_for_server_parameter(
            self.server, {'status': 'ACTIVE', 'OS-EXT-STS:task_state': None}
        )
        self.assertEqual(['compute1'], self.running_on(self.server))
        self.counter += 1
        memory = self.guest(self.server).memory
        self.assertEqual(
            (self.boot_id, self.counter), (memory.boot_id, memory.tick())
        )

    def assert_home(self):
        self.assert_goes_on_at_home()
        self.assertEqual('reverted', self._migration_status(self.server))
        self.assert_as_before()

    def dies_in(self, host, method, where, name, replacement):
        self.kill(host, method, where, name, replacement, self.post_revert)
        self.assertEqual('resize_reverting', self.task())

    @staticmethod
    @contextlib.contextmanager
    def fails_once(where, name, on=None):
        """A method fails the first time, on that host if one is named."""
        whole, failed = getattr(where, name), []

        def fail(self, *args, **kwargs):
            here = on is None or getattr(self, 'host', None) == on
            if here and not failed:
                failed.append(name)
                raise exception.PlacementAPIConnectFailure
            return whole(self, *args, **kwargs)

        with mock.patch.object(where, name, fail):
            yield failed


class FirstHalfTest(HalvesTestCase):
    def test_placement_is_not_told_of_the_claim_s_end(self):
        tracker = resource_tracker.ResourceTracker
        whole, told = tracker._update, []

        def fail(tracker, *args, **kwargs):
            if self.task() == 'resize_reverting' and not told:
                told.append(tracker.host)
                raise exception.PlacementAPIConnectFailure
            whole(tracker, *args, **kwargs)

        with mock.patch.object(tracker, '_update', fail):
            self.post_revert()
            self.assert_home()
        self.assertEqual(['compute2'], told)

    def test_novas_poll_to_confirm_it_takes_it_for_an_error(self):
        """It has read the migration before the revert, and the server after.

        Which the revert then finds.
        """
        send = rpcapi.ComputeAPI.revert_resize

        def poll_and_send(api, context, instance, migration, *args):
            migration.status = 'error'
            migration.save()
            migration.status = 'reverting'
            migration.obj_reset_changes(['status'])
            send(api, context, instance, migration, *args)

        with mock.patch.object(
            rpcapi.ComputeAPI, 'revert_resize', poll_and_send
        ):
            self.post_revert()
            self.assert_home()

    def test_a_volume_does_not_leave(self):
        with self.fails_once(
            manager.ComputeManager, '_terminate_volume_connections'
        ):
            self.post_revert()
            self.wait_until_it_has_failed('compute_revert_resize', 'compute2')
        self.assertEqual('reverting', self._migration_status(self.server))
        self.take_up('compute1')
        self.assert_half_way()
        self.take_up('compute2')
        self.assert_home()

    def test_the_cell_cannot_read_the_api_s_database(self):
        with self.fails_once(
            manager.ComputeManager, '_terminate_volume_connections'
        ):
            self.post_revert()
            self.wait_until_it_has_failed('compute_revert_resize', 'compute2')
        with mock.patch.object(
            objects.RequestSpec,
            'get_by_instance_uuid',
            autospec=True,
            side_effect=messaging.RemoteError('CantStartEngineError'),
        ):
            self.take_up('compute2')
        self.assert_home()

    def test_it_fails_while_the_guest_runs(self):
        with self.fails_once(
            manager.ComputeManager, '_get_instance_block_device_info'
        ):
            self.post_revert()
            self._wait_for_server_parameter(
                self.server,
                {'status': 'VERIFY_RESIZE', 'OS-EXT-STS:task_state': None},
            )
        self.assertEqual(['compute2'], self.running_on(self.server))
        self.post_revert()
        self.assert_home()

    def test_the_service_dies_when_it_has_ended_the_guest(self):
        self.dies_in(
            'compute2',
            'revert_resize',
            manager.ComputeManager,
            '_terminate_volume_connections',
            failing.killed,
        )
        self.assert_half_way()
        self.restart_compute_service('compute2')
        self.assert_home()

    def test_the_source_cannot_be_told(self):
        with mock.patch.object(
            rpcapi.ComputeAPI,
            'finish_revert_resize',
            autospec=True,
            side_effect=messaging.MessagingTimeout,
        ):
            self.post_revert()
            self.wait_until_it_has_failed('compute_revert_resize', 'compute1')
        self.assertEqual('reverted', self._migration_status(self.server))
        self.take_up('compute1')
        self.assert_home()

    def test_the_service_dies_when_the_server_is_its_source_s(self):
        save = objects.Migration.save

        def save_or_die(migration):
            if migration.status == 'reverted':
                raise failing.Killed
            save(migration)

        self.dies_in(
            'compute2', 'revert_resize', objects.Migration, 'save', save_or_die
        )
        self.assertEqual('reverting', self._migration_status(self.server))
        self.assertEqual('compute1', self.host_of(self.server))
        self.take_up('compute1')
        self.assert_home()

    def test_the_message_to_the_source_is_lost(self):
        lost = mock.Mock(side_effect=failing.killed)
        self.dies_in(
            'compute2',
            'revert_resize',
            rpcapi.ComputeAPI,
            'finish_revert_resize',
            lost,
        )
        self.assert_half_way()
        self.assertEqual('compute1', self.host_of(self.server))
        self.take_up('compute1')
        self.assert_home()
        # It comes after all.
        context, instance, migration, _, spec = lost.call_args.args
        self.computes['compute1'].manager.finish_revert_resize(
            context, instance, migration, spec
        )
        self.assert_home()


class SecondHalfTest(HalvesTestCase):
    def test_placement_does_not_answer(self):
        with self.fails_once(
            manager.ComputeManager, '_revert_allocation', on='compute1'
        ):
            self.post_revert()
            self.wait_until_it_has_failed(
                'compute_finish_revert_resize', 'compute1'
            )
        self.take_up('compute1')
        self.assert_home()

    def test_a_volume_is_not_attached_when_the_server_is_back(self):
        with self.fails_once(
            manager.ComputeManager, '_update_volume_attachments', on='compute1'
        ):
            self.post_revert()
            self.wait_until_it_has_failed(
                'compute_finish_revert_resize', 'compute1'
            )
        self.take_up('compute1')
        self.assert_home()

    def _die(self, where, name, replacement):
        # Nobody is left who could forget the move.
        with mock.patch.object(
            manager.ComputeManager,
            '_delete_stashed_flavor_info',
            failing.killed,
        ):
            self.dies_in(
                'compute1', 'finish_revert_resize', where, name, replacement
            )
        self.restart_compute_service('compute1')

    def test_the_service_dies_before_it_brings_the_guest_back(self):
        self._die(
            driver.NumaLibvirtDriver, 'finish_revert_migration', failing.killed
        )
        self.assert_home()

    def test_the_service_dies_before_it_has_the_guest_go_on(self):
        self._die(CheckpointStore, 'spend', failing.killed)
        self.assert_home()

    def test_the_service_dies_as_the_guest_goes_on(self):
        resume = fake_libvirt.Domain.resume

        def resume_and_die(domain):
            resume(domain)
            raise failing.Killed

        self._die(fake_libvirt.Domain, 'resume', resume_and_die)
        self.assert_home()

    def test_libvirt_refuses_the_guest(self):
        with self.restore_fails_on('compute1'):
            self.post_revert()
            self.wait_for(self.server, 'ERROR')
        # Kept by the sweep, too, and never booted in silence.
        self.computes['compute1'].manager._sweep_checkpoints(self.ctxt)
        self.assertEqual([], self.running_on(self.server))
        self._reboot_server(self.server, hard=True, api=self.admin_api)
        self.assert_goes_on_at_home()
        self._assert_nothing_left()
