# SPDX-License-Identifier: Apache-2.0
"""Guests that a revert takes home, for the tests of what comes back."""

from __future__ import annotations

from nova.tests import fixtures as nova_fixtures

from tests.functional import failing

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
