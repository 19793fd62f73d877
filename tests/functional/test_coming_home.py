# SPDX-License-Identifier: Apache-2.0
"""A guest that cannot start at the destination goes home."""

from __future__ import annotations

import pathlib
from unittest import mock

from nova import objects
import oslo_messaging as messaging

from nova_numa_migrate.virt import homecoming
from tests.functional import failing
from tests.functional import fake_disks
from tests.functional import fake_hosts
from tests.functional import fake_libvirt


class ComingHomeTest(failing.FailingTestCase):
    def test_the_restore_fails(self):
        with self.restore_fails_on('compute2'):
            self._assert_comes_home()
        details = self.failed_events()['numa_migrate_restore']
        self.assertIn('compute2: internal error: the disk', details)

    def test_a_byte_is_changed_on_its_way(self):
        with self._copy_damaged_by(lambda data: data[:-1] + b'?'):
            self._assert_comes_home()
        self._assert_damage_is_told()

    def test_the_end_is_lost_on_its_way(self):
        with self._copy_damaged_by(lambda data: data[:-1]):
            self._assert_comes_home()
        self._assert_damage_is_told()

    def test_the_checkpoint_is_gone_at_the_destination(self):
        send = 'nova_numa_migrate.virt.nova_transport.NovaTransport.send'
        self.stub_out(send, lambda *args: None)
        self._assert_comes_home()
        details = self.failed_events()['numa_migrate_finish']
        self.assertIn('is not on host compute2', details)

    def test_its_memory_is_taken_meanwhile(self):
        with self._node_2_has_then(500, cache=11):
            self._assert_comes_home()
        details = self.failed_events()['numa_migrate_restore']
        self.assertIn('host compute2 cannot take the guest', details)
        self.assertIn('node 2 has 511 MiB free now', details)

    def test_it_crashes_as_it_goes_on(self):
        """It has moved, and is off as it would be where it was."""
        resume = fake_libvirt.Domain.resume

        def resume_and_crash(domain):
            resume(domain)
            domain.destroy()

        with mock.patch.object(
            fake_libvirt.Domain, 'resume', resume_and_crash
        ):
            self.post_migrate(self.server, [3, 2])
            self.wait_for(self.server, 'VERIFY_RESIZE')
        self.assertEqual('compute2', self.host_of(self.server))
        self.assertEqual([], self.running_on(self.server))
        self.assertEqual([], self.checkpoint_files()['compute2'])

    def test_what_has_come_is_given_up_for_its_memory(self):
        with self._node_2_has_then(0, cache=512):
            self.post_migrate(self.server, [3, 2])
            self.wait_for(self.server, 'VERIFY_RESIZE')

    def _node_2_has_then(self, free, cache):
        """In MiB, when something has been copied to the destination."""
        copy_file = fake_hosts.RemoteDirectories.copy_file

        def copy(*args, **kwargs):
            copy_file(*args, **kwargs)
            self.nodes.set(2, free, cache=cache)

        return mock.patch.object(
            fake_hosts.RemoteDirectories, 'copy_file', copy
        )

    def _assert_comes_home(self):
        with self.assert_goes_on(self.server):
            self.post_migrate(self.server, [3, 2])
            self.wait_until_home('reverted')
        self.assertIn(
            'numa_migrate_return',
            [event['event'] for event in self.actions_of(self.server)],
        )
        self.assert_as_before()

    def test_an_earlier_migration_has_left_its_directory(self):
        """What is in it is not taken for the disks of the guest."""
        instances = self.hosts.hosts['compute1'].instances
        left = instances / f'{self.server["id"]}_resize'
        left.mkdir()
        (left / 'disk').write_text('of months ago')
        disk = instances / self.server['id'] / 'disk'
        content = fake_disks.content(disk)
        with self.assert_goes_on(self.server), self.copy_fails_for('.save'):
            self.post_migrate(self.server, [3, 2])
            self.wait_for_failure(self.server)
        self.assert_as_before()
        self.assertEqual(content, fake_disks.content(disk))
        self.assertFalse(left.exists())

    def _assert_damage_is_told(self):
        details = self.failed_events()['numa_migrate_restore']
        self.assertIn('is damaged or incomplete', details)

    def _copy_damaged_by(self, damage):
        copy_file = fake_hosts.RemoteDirectories.copy_file

        def copy(self, src, dst, **kwargs):
            copy_file(self, src, dst, **kwargs)
            if dst.endswith('.save'):
                found = pathlib.Path(self._local(dst))
                found.write_bytes(damage(found.read_bytes()))

        return mock.patch.object(
            fake_hosts.RemoteDirectories, 'copy_file', copy
        )

    def test_it_was_restored_and_nobody_can_be_told(self):
        """The message bus is gone when that is to be written down."""
        finish = objects.InstanceActionEvent.event_finish_with_failure

        def fail(cls, context, uuid, event, **kwargs):
            if event == 'numa_migrate_restore':
                raise messaging.MessagingTimeout
            return finish(context, uuid, event, **kwargs)

        with (
            self.assert_goes_on(self.server),
            mock.patch.object(
                objects.InstanceActionEvent,
                'event_finish_with_failure',
                classmethod(fail),
            ),
        ):
            self.post_migrate(self.server, [3, 2])
            self.wait_until_home('reverted')
        self.assert_as_before()

    def test_it_is_deleted_as_it_arrives(self):
        """The delete and the restore that it ends are at work at once."""
        server = self.server['id']
        tasks = []

        def delete(*args):
            self.admin_api.delete_server(server)
            failing.libvirt_error()

        def revert(context, instance, *args):
            tasks.append(instance.task_state)

        with (
            mock.patch.object(fake_libvirt.Connection, 'restoreFlags', delete),
            mock.patch.object(
                self.computes['compute2'].manager, 'revert_resize', revert
            ),
        ):
            self.post_migrate(self.server, [3, 2])
            self._wait_for_assert(
                lambda: self.assertEqual([], self.admin_api.get_servers())
            )
        self.assertEqual([], tasks)
        self.assertEqual([], self.running_on(self.server))
        for compute in self.computes.values():
            compute.manager._sweep_checkpoints(self.ctxt)
        self._wait_for_assert(self._assert_nothing_left)


class StrandedTest(failing.FailingTestCase):
    """A guest that can start neither at the destination nor at home."""

    def _lose_both_ways(self):
        """It can start neither there nor at home; what Nova says then."""
        with self.restore_fails_on('compute1', 'compute2'):
            self.post_migrate(self.server, [3, 2])
            self.wait_for(self.server, 'ERROR')
        # Not booted in silence, and nothing of its state is lost.
        self.assertEqual('compute1', self.host_of(self.server))
        self.assertEqual([], self.running_on(self.server))
        image = f'{self.server["id"]}.save'
        self.assertIn(image, self.checkpoint_files()['compute1'])
        self.assertEqual([], self.checkpoint_files()['compute2'])
        return self.failed_events()['compute_finish_revert_resize']

    def test_it_cannot_start_at_home_either(self):
        with self.assert_goes_on(self.server):
            told = self._lose_both_ways()
            self.assertIn('on fire', told)
            self.assertIn('openstack server reboot --hard', told)
            self.computes['compute1'].manager._sweep_checkpoints(self.ctxt)
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self.assert_guest_on_nodes(self.server, [0, 1])
        self._assert_nothing_left()
        boot_id = self.guest(self.server).memory.boot_id
        # The next one is a reboot.
        self._reboot_server(self.server, hard=True, api=self.admin_api)
        self.assertNotEqual(boot_id, self.guest(self.server).memory.boot_id)

    def test_it_cannot_start_after_the_reboot_either(self):
        with self.assert_goes_on(self.server):
            self._lose_both_ways()
            with self.restore_fails_on('compute1'):
                self.post_action(self.server, {'reboot': {'type': 'HARD'}})
                self._wait_for_server_parameter(
                    self.server,
                    {'status': 'ERROR', 'OS-EXT-STS:task_state': None},
                )
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self._assert_nothing_left()

    def test_the_service_dies_in_the_middle_of_the_reboot(self):
        restore = fake_libvirt.Connection.restoreFlags

        def restore_and_die(*args):
            restore(*args)
            raise failing.Killed

        with self.assert_goes_on(self.server):
            self._lose_both_ways()
            self.kill(
                'compute1',
                'reboot_instance',
                fake_libvirt.Connection,
                'restoreFlags',
                restore_and_die,
                lambda: self.post_action(
                    self.server, {'reboot': {'type': 'HARD'}}
                ),
            )
            self.post_action(
                self.server, {'os-resetState': {'state': 'error'}}
            )
            self.restart_compute_service('compute1')
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self._assert_nothing_left()

    def test_its_state_is_given_up(self):
        memory = self.guest(self.server).memory
        self._lose_both_ways()
        self._stop_server(self.server)
        self._start_server(self.server)
        self.assertEqual(['compute1'], self.running_on(self.server))
        self.assertNotEqual(
            memory.boot_id, self.guest(self.server).memory.boot_id
        )
        self._assert_nothing_left()

    def test_it_is_not_rescued(self):
        with self.assert_goes_on(self.server):
            self._lose_both_ways()
            self.post_action(self.server, {'rescue': {}}, 200)
            self._wait_for_server_parameter(
                self.server,
                {'status': 'ERROR', 'OS-EXT-STS:task_state': None},
            )
            self.assertEqual([], self.running_on(self.server))
            server = self.admin_api.get_server(self.server['id'])
            self.assertIn('stop" and "start"', server['fault']['message'])
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self._assert_nothing_left()

    def test_it_was_booted_without_its_state(self):
        """What it writes then is of after that, and so are its disks."""
        boot_id = self.guest(self.server).memory.boot_id
        self._lose_both_ways()
        with mock.patch.object(
            homecoming, 'pending', autospec=True, return_value=None
        ):
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self.assertEqual(['compute1'], self.running_on(self.server))
        self.guest(self.server).destroy()
        self._reboot_server(self.server, hard=True, api=self.admin_api)
        self.assertNotEqual(boot_id, self.guest(self.server).memory.boot_id)
        self._assert_nothing_left()

    def test_it_is_deleted(self):
        self._lose_both_ways()
        self.admin_api.delete_server(self.server['id'])
        self._wait_for_assert(
            lambda: self.assertEqual([], self.admin_api.get_servers())
        )
        self._assert_nothing_left()
