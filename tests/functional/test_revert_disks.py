# SPDX-License-Identifier: Apache-2.0
"""What a revert gives back, by where the disks are."""

from __future__ import annotations

from unittest import mock

from nova import context
import oslo_messaging as messaging

from nova_numa_migrate.compute import endpoint
from tests.functional import fake_disks
from tests.functional import fake_rbd
from tests.functional import reverting


class RbdTest(reverting.RevertTestCase):
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


class MixedTest(reverting.RevertTestCase):
    """The guest has a file and a volume."""

    def setUp(self):
        super().setUp()
        self._attach_volume(self.server, reverting.VOLUME)
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


class FilesTest(reverting.RevertTestCase):
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
        self.assertEqual(reverting.NOTHING, self.checkpoint_files())

    def test_a_volume_is_attached_before_the_revert(self):
        self.move()
        self._attach_volume(self.server, reverting.VOLUME)
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self.assert_home()
        self.assertIn(reverting.VOLUME, self.guest(self.server).XMLDesc(0))

    def test_nobody_confirms(self):
        with self.assert_goes_on(self.server):
            self.hinted_migrate(self.server, [3, 2])
            # Kept for a revert, until Nova confirms by itself.
            self.assertNotEqual([], self.checkpoint_files()['compute1'])
            self.flags(resize_confirm_window=1)
            self._wait_for_assert(self._assert_confirmed)
        self.assert_on_nodes(self.server, [3, 2])
        self.assertEqual(reverting.NOTHING, self.checkpoint_files())

    def _assert_confirmed(self):
        self.computes['compute2'].manager._poll_unconfirmed_resizes(
            context.get_admin_context()
        )
        self.assertEqual('confirmed', self._migration_status(self.server))
