# SPDX-License-Identifier: Apache-2.0
"""What becomes of a guest whose state cannot be saved."""

from __future__ import annotations

from unittest import mock

from nova_numa_migrate.checkpoint import demand
from tests.functional import base
from tests.functional import libvirt_xml


class CheckpointModeTest(base.NumaMigrateTestCase):
    def _migrate(self, server, mode=None, status=202):
        hints = self.hints([2], **({'numa_checkpoint': mode} if mode else {}))
        body = {'os:scheduler_hints': hints}
        return self.post_action(server, {'migrate': body}, status)

    def _assert_rebooted_on_node(self, server, boot_id):
        self.wait_for(server, 'VERIFY_RESIZE')
        self.assertEqual(['compute2'], self.running_on(server))
        (cell,) = self.instance(server).numa_topology.cells
        self.assertEqual(2, cell.id)
        self.assertNotEqual(boot_id, self.guest(server).memory.boot_id)
        self.assertEqual(
            {'compute1': [], 'compute2': []}, self.checkpoint_files()
        )

    def test_required_names_the_blocker(self):
        server = self.boot(cells=1)
        self.stub_out(
            'nova.compute.api.instance_has_share', lambda *args: True
        )
        boot_id = self.guest(server).memory.boot_id
        answer = self._migrate(server, status=409)
        message = answer.body['conflictingRequest']['message']
        self.assertIn('virtiofs share', message)
        self.assertEqual(boot_id, self.guest(server).memory.boot_id)

    def test_preferred_moves_it_without(self):
        server = self.boot(cells=1)
        self.guest(server)._defined.find('devices').append(
            libvirt_xml.element('<tpm model="tpm-crb"/>')
        )
        boot_id = self.guest(server).memory.boot_id
        self._migrate(server, 'preferred')
        self._assert_rebooted_on_node(server, boot_id)

    def test_preferred_needs_no_room_for_a_checkpoint_that_is_not_made(self):
        server = self.boot(cells=1)
        self.guest(server)._defined.find('devices').append(
            libvirt_xml.element('<tpm model="tpm-crb"/>')
        )
        boot_id = self.guest(server).memory.boot_id
        with mock.patch.object(
            demand, 'disk_shortage', autospec=True, return_value='no room'
        ):
            self._migrate(server, 'preferred')
            self._assert_rebooted_on_node(server, boot_id)

    def test_preferred_needs_it_for_one_that_is(self):
        server = self.boot(cells=1)
        with (
            self.assert_goes_on(server),
            mock.patch.object(
                demand, 'disk_shortage', autospec=True, return_value='no room'
            ),
        ):
            answer = self._migrate(server, 'preferred', status=409)
        self.assertIn('no room', str(answer.body))

    def test_preferred_keeps_a_state_that_can_be_kept(self):
        server = self.boot(cells=1)
        with self.assert_goes_on(server):
            self._migrate(server, 'preferred')
            self.wait_for(server, 'VERIFY_RESIZE')
        self.assert_on_nodes(server, [2])

    def test_never_moves_any_without(self):
        server = self.boot(cells=1)
        boot_id = self.guest(server).memory.boot_id
        self._migrate(server, 'never')
        self._assert_rebooted_on_node(server, boot_id)

    def test_the_operator_s_default(self):
        self.flags(group='numa_migrate', checkpoint='never')
        server = self.boot(cells=1)
        boot_id = self.guest(server).memory.boot_id
        self._migrate(server)
        self._assert_rebooted_on_node(server, boot_id)
        self.revert(server)
        self.assertEqual(['compute1'], self.running_on(server))
        self.assert_on_nodes(server, [0])
