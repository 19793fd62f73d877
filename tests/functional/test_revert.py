# SPDX-License-Identifier: Apache-2.0
"""What a revert gives back, by what is one for both hosts."""

from __future__ import annotations

from unittest import mock

import ddt
from nova import context
from nova.compute import manager
from nova.tests import fixtures as nova_fixtures
import oslo_messaging as messaging

from nova_numa_migrate.compute import endpoint
from nova_numa_migrate.virt import driver
from tests.functional import failing
from tests.functional import fake_disks
from tests.functional import fake_rbd

NOTHING: dict[str, list[str]] = {'compute1': [], 'compute2': []}
VOLUME = nova_fixtures.CinderFixture.IMAGE_BACKED_VOL


class RevertTestCase(failing.FailingTestCase):
    def post_revert(self):
        self.post_action(self.server, {'revertResize': None})

    def move(self):
        """Onto compute2, where the guest runs on for a while."""
        with self.assert_goes_on(self.server):
            self.hinted_migrate(self.server, [3, 2])
        self.guest(self.server).memory.tick()

    def assert_home(self):
        self.assert_as_before()
        self.assertEqual(['compute1'], self.running_on(self.server))

    def assert_stays(self, step):
        with self.assert_goes_on(self.server):
            self.post_revert()
            self._wait_for_server_parameter(
                self.server,
                {'status': 'VERIFY_RESIZE', 'OS-EXT-STS:task_state': None},
            )
        self.assertEqual('finished', self._migration_status(self.server))
        self.assertIn(step, self.failed_events())
        self.assertEqual('compute2', self.host_of(self.server))
        self.assertEqual([], self.checkpoint_files()['compute2'])
        self.assertNotIn(
            f'{self.server["id"]}.save', self.checkpoint_files()['compute1']
        )

    def fail_at_home(self):
        """libvirt on compute1 refuses the guest; it is the server's end."""
        with self.restore_fails_on('compute1'):
            self.post_revert()
            self.wait_for(self.server, 'ERROR')
        # Not booted in silence, and nothing of its state is lost.
        self.assertEqual('compute1', self.host_of(self.server))
        self.assertEqual([], self.running_on(self.server))
        self.assertIn(
            f'{self.server["id"]}.save', self.checkpoint_files()['compute1']
        )


class SharedTestCase(RevertTestCase):
    """The disks of the guest are one for both hosts."""

    def setUp(self):
        super().setUp()
        self.server = self.boot_from_volume()

    def boot_from_volume(self):
        self._delete_server(self.server)
        flavor = self._create_flavor(
            vcpu=4,
            memory_mb=1024,
            disk=0,
            ephemeral=0,
            extra_spec={'hw:numa_nodes': '2', 'hw:cpu_policy': 'dedicated'},
        )
        server = self._build_server(
            flavor_id=flavor, networks='none', host='compute1'
        )
        del server['imageRef']
        server['block_device_mapping_v2'] = [
            {
                'boot_index': 0,
                'uuid': VOLUME,
                'source_type': 'volume',
                'destination_type': 'volume',
            }
        ]
        created = self.admin_api.post_server({'server': server})
        return self.wait_for(created, 'ACTIVE')


class SharedTest(SharedTestCase):
    def test_the_guest_goes_home_as_it_is(self):
        self.move()
        # What was saved before the move is worth nothing any more.
        self.assertNotIn(
            f'{self.server["id"]}.save', self.checkpoint_files()['compute1']
        )
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self.assert_home()
        self.assertLessEqual(
            {'numa_migrate_checkpoint', 'numa_migrate_bring_back'},
            {event['event'] for event in self.actions_of(self.server)},
        )

    def test_the_destination_loses_its_power_when_the_guest_runs(self):
        """Nobody knows what it has written: no checkpoint fits any more."""
        boot_id = self.guest(self.server).memory.boot_id
        self.lose_power_when_it_runs('compute2')
        self.wait_for(self.server, 'VERIFY_RESIZE')
        self.assertEqual('compute2', self.host_of(self.server))
        self.assertEqual([], self.running_on(self.server))
        self.assertEqual([], self.checkpoint_files()['compute2'])
        self.revert(self.server)
        self.assert_home()
        memory = self.guest(self.server).memory
        self.assertNotEqual(boot_id, memory.boot_id)

    def test_a_guest_that_has_stopped_itself_is_booted(self):
        self.move()
        self.guest(self.server).shutdown()
        self.revert(self.server)
        self.assert_home()
        self.assertEqual(0, self.guest(self.server).memory.counter)

    def test_the_save_fails(self):
        self.move()
        self.stub_out(
            'tests.functional.fake_libvirt.Domain.saveFlags',
            failing.libvirt_error,
        )
        self.assert_stays('numa_migrate_checkpoint')

    def test_the_checkpoint_does_not_arrive(self):
        self.move()
        with self.copy_fails_for('.save'):
            self.assert_stays('numa_migrate_transfer')
        # Nothing stands against another try.
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self.assert_home()

    def _home_says(self, error):
        return mock.patch.object(
            endpoint.NumaEndpoint,
            'sync_checkpoint',
            autospec=True,
            side_effect=error,
        )

    def test_home_cannot_keep_the_checkpoint(self):
        self.move()
        with self._home_says(OSError('the disk is full')):
            self.assert_stays('numa_migrate_sync')

    def test_home_is_short_of_memory(self):
        self.move()
        self.nodes.set(1, 512 + 127)
        self.assert_stays('numa_migrate_check')
        details = self.failed_events()['numa_migrate_check']
        self.assertIn('Host compute1 cannot take the guest', details)
        self.assertIn('node 1 has 639 MiB free now', details)
        self.nodes.set(1, 512 + 128)
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self.assert_home()

    def test_home_cannot_be_asked_for_room(self):
        self.move()
        self.nodes.set(1, 0)
        with (
            self.assert_goes_on(self.server),
            mock.patch.object(
                endpoint.NumaEndpoint,
                'check_return',
                autospec=True,
                side_effect=messaging.UnsupportedVersion('1.2'),
            ),
        ):
            self.revert(self.server)
        self.nodes.set(1, 4096)
        self.assert_home()

    def test_home_cannot_be_asked_to_keep_it(self):
        self.move()
        with (
            self.assert_goes_on(self.server),
            self._home_says(messaging.UnsupportedVersion('1.2')),
        ):
            self.revert(self.server)
        self.assert_home()

    def test_it_cannot_go_on_at_home(self):
        self.move()
        self.fail_at_home()

    def _kill_the_service(self, where, name, replacement):
        self.kill(
            'compute2',
            'revert_resize',
            where,
            name,
            replacement,
            self.post_revert,
        )
        self.assertEqual('resize_reverting', self.task())
        self.restart_compute_service('compute2')

    def test_the_service_dies_before_it_has_sent_the_guest(self):
        self.move()
        with self.assert_goes_on(self.server):
            self._kill_the_service(
                self.computes['compute2'].driver.transport,
                'send',
                failing.killed,
            )
            self.wait_for(self.server, 'VERIFY_RESIZE')
            self.assertEqual([], self.checkpoint_files()['compute2'])
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self.assert_home()

    def test_the_service_dies_when_it_has_sent_the_guest(self):
        self.move()
        with self.assert_goes_on(self.server):
            self._kill_the_service(
                manager.ComputeManager,
                'revert_resize',
                failing.killed,
            )
            self.wait_for(self.server, 'ACTIVE')
        self.assert_home()


@ddt.ddt
class LostAtHomeTest(SharedTestCase):
    """The source loses the checkpoint before the guest goes on from it."""

    def setUp(self):
        super().setUp()
        self.move()

    def lose(self, content):
        """What is found there then; None where the file is gone."""
        begin = driver.NumaLibvirtDriver.begin_return

        def begin_without_it(driver, instance):
            image = driver.checkpoints.image(instance.uuid)
            if content is None:
                image.unlink()
            else:
                image.write_text(content)
            begin(driver, instance)

        return mock.patch.object(
            driver.NumaLibvirtDriver, 'begin_return', begin_without_it
        )

    @ddt.data(None, 'half')
    def test_it_is_fetched(self, content):
        with self.assert_goes_on(self.server), self.lose(content):
            self.revert(self.server)
        self.assert_home()

    @ddt.data(None, 'half')
    def test_it_cannot_be_fetched(self, content):
        unsent = mock.patch.object(
            driver.NumaLibvirtDriver,
            'send_again',
            autospec=True,
            side_effect=OSError('connection lost'),
        )
        with self.assert_goes_on(self.server):
            with self.lose(content), unsent:
                self.post_revert()
                self.wait_for(self.server, 'ERROR')
            told = self.failed_events()['compute_finish_revert_resize']
            self.assertIn('on host compute2 could not be fetched', told)
            self.assertIn('openstack server reboot --hard', told)
            for host in ('compute1', 'compute2'):
                self.computes[host].manager._sweep_checkpoints(self.ctxt)
            self.assertEqual([], self.running_on(self.server))
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self.assert_guest_on_nodes(self.server, [0, 1])
        self._wait_for_assert(self._assert_nothing_left)


class RbdTest(RevertTestCase):
    def setUp(self):
        self.flags(group='libvirt', images_type='rbd')
        self.cluster = self.useFixture(fake_rbd.FakeRbdFixture())
        super().setUp()

    def _write(self, text):
        self.cluster.write(self.server['id'], text)

    def _assert_home(self, content):
        self.assert_home()
        self._assert_disk(content)

    def _assert_disk(self, content):
        self.assertEqual(content, self.cluster.contents[self.server['id']])
        self.assertEqual(set(), self.cluster.snapshots)

    def test_the_guest_goes_home_as_it_is(self):
        self._write('here, ')
        self.move()
        self._write('there')
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self._assert_home('here, there')

    def test_the_guest_cannot_start_at_the_destination(self):
        self._write('here')
        with (
            self.assert_goes_on(self.server),
            self.restore_fails_on('compute2'),
        ):
            self.post_migrate(self.server, [3, 2])
            self.wait_until_home('reverted')
        self._assert_home('here')

    def test_the_guest_is_not_sent(self):
        self._write('here')
        with (
            self.assert_goes_on(self.server),
            self.copy_fails_for('.save'),
        ):
            self.post_migrate(self.server, [3, 2])
            self.wait_for_failure(self.server)
        self._assert_home('here')

    def test_the_guest_cannot_start_at_home(self):
        self._write('here, ')
        self.move()
        self._write('there')
        with self.assert_goes_on(self.server):
            self.fail_at_home()
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self.assertEqual('compute1', self.host_of(self.server))
        self._assert_disk('here, there')


class MixedTest(RevertTestCase):
    """The guest has a file and a volume."""

    def setUp(self):
        super().setUp()
        self._attach_volume(self.server, VOLUME)
        self.move()
        fake_disks.append(self._disk('compute2'), 'written after the move')
        self.content = fake_disks.content(self._disk('compute2'))

    def _disk(self, host):
        instances = self.hosts.hosts[host].instances
        return instances / self.server['id'] / 'disk'

    def _assert_home_with_its_disks(self):
        self.assertEqual(['compute1'], self.running_on(self.server))
        self.assertEqual(
            self.content, fake_disks.content(self._disk('compute1'))
        )
        instances = self.hosts.hosts['compute1'].instances
        self.assertEqual([], list(instances.rglob('*.brought')))
        self.assertEqual([], list(instances.glob('*_resize')))

    def test_the_guest_goes_home_as_it_is(self):
        # What was saved before the move is worth nothing any more.
        self.assertNotIn(
            f'{self.server["id"]}.save', self.checkpoint_files()['compute1']
        )
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self.assert_home()
        self._assert_home_with_its_disks()

    def test_the_file_does_not_arrive(self):
        with self.copy_fails_for('.brought'):
            self.assert_stays('numa_migrate_transfer_disks')
        kept = self._disk('compute1').parent.with_name(
            f'{self.server["id"]}_resize'
        )
        # As it was before the move, for whoever reverts after a power-off.
        self.assertEqual(['disk'], [path.name for path in kept.iterdir()])
        self.assertNotIn('written after', (kept / 'disk').read_text())
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self.assert_home()
        self._assert_home_with_its_disks()

    def test_home_does_not_know_of_such_files(self):
        with mock.patch.object(
            endpoint.NumaEndpoint,
            'sync_brought',
            autospec=True,
            side_effect=messaging.UnsupportedVersion('1.1'),
        ):
            self.assert_stays('numa_migrate_transfer_disks')

    def test_it_cannot_go_on_at_home(self):
        with self.assert_goes_on(self.server):
            self.fail_at_home()
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self._assert_home_with_its_disks()


@ddt.ddt
class AfterwardsTest(SharedTestCase):
    """Whatever starts the guest later boots it."""

    def _hard_reboot(self):
        self._reboot_server(self.server, hard=True, api=self.admin_api)

    def _stop_and_start(self):
        self._stop_server(self.server)
        self._start_server(self.server)

    def _shelve_and_unshelve(self):
        self.flags(shelved_offload_time=0)
        self._shelve_server(self.server)
        self._unshelve_server(self.server)

    @ddt.data('_hard_reboot', '_stop_and_start', '_shelve_and_unshelve')
    def test_after_a_revert(self, start):
        self.move()
        self.revert(self.server)
        self._assert_boots(start)

    @ddt.data('_hard_reboot', '_stop_and_start', '_shelve_and_unshelve')
    def test_after_a_confirm(self, start):
        self.move()
        self.confirm(self.server)
        self._assert_boots(start)

    def _assert_boots(self, start):
        self.assertEqual(NOTHING, self.checkpoint_files())
        boot_id = self.guest(self.server).memory.boot_id
        getattr(self, start)()
        self.assertEqual(
            [self.host_of(self.server)], self.running_on(self.server)
        )
        memory = self.guest(self.server).memory
        self.assertNotEqual(boot_id, memory.boot_id)
        self.assertEqual(0, memory.counter)
        self.assertEqual(NOTHING, self.checkpoint_files())

    def test_a_delete(self):
        self.move()
        self._delete_server(self.server)
        self.assertEqual(NOTHING, self.checkpoint_files())


class FilesTest(RevertTestCase):
    """Each host has its own."""

    def test_a_rebuild_boots(self):
        self.move()
        self.confirm(self.server)
        boot_id = self.guest(self.server).memory.boot_id
        image = self.admin_api.get_server(self.server['id'])['image']['id']
        self._rebuild_server(self.server, image)
        self.assertEqual(['compute2'], self.running_on(self.server))
        memory = self.guest(self.server).memory
        self.assertNotEqual(boot_id, memory.boot_id)
        self.assertEqual(NOTHING, self.checkpoint_files())

    def test_nobody_confirms(self):
        with self.assert_goes_on(self.server):
            self.hinted_migrate(self.server, [3, 2])
            # Kept for a revert, until Nova confirms by itself.
            self.assertNotEqual([], self.checkpoint_files()['compute1'])
            self.flags(resize_confirm_window=1)
            self._wait_for_assert(self._assert_confirmed)
        self.assert_on_nodes(self.server, [3, 2])
        self.assertEqual(NOTHING, self.checkpoint_files())

    def _assert_confirmed(self):
        self.computes['compute2'].manager._poll_unconfirmed_resizes(
            context.get_admin_context()
        )
        self.assertEqual('confirmed', self._migration_status(self.server))
