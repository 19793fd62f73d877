# SPDX-License-Identifier: Apache-2.0
"""What follows a hinted migration: confirm, revert, audits, and the end."""

from __future__ import annotations

import os
import pathlib
import stat

from nova.virt.libvirt import utils as libvirt_utils

from nova_numa_migrate.virt import nova_transport
from tests.functional import base

NOTHING: dict[str, list[str]] = {'compute1': [], 'compute2': []}


class LifecycleTest(base.NumaMigrateTestCase):
    def setUp(self):
        super().setUp()
        self.server = self.boot(cells=2)

    def _disk(self, host):
        with self.hosts.hosts[host].entered():
            directory = libvirt_utils.get_instance_path(
                self.instance(self.server)
            )
        return pathlib.Path(directory, 'disk')

    def test_the_source_keeps_its_checkpoint_private(self):
        self.hinted_migrate(self.server, [3, 2])
        uuid = self.server['id']
        self.assertEqual(
            {'compute1': [f'{uuid}.json', f'{uuid}.save'], 'compute2': []},
            self.checkpoint_files(),
        )
        directory = self.hosts.hosts['compute1'].checkpoints
        self.assertEqual(0o700, stat.S_IMODE(directory.stat().st_mode))
        for name in os.listdir(directory):
            mode = (directory / name).stat().st_mode
            self.assertEqual(0o600, stat.S_IMODE(mode), name)

    def test_confirm(self):
        with self.assert_goes_on(self.server):
            self._move_with_audits()
            self.confirm(self.server)
        self.assert_audited({'compute1': set(), 'compute2': {2, 3}})
        self.assert_on_nodes(self.server, [3, 2])
        self.assertEqual(NOTHING, self.checkpoint_files())
        self.assertEqual({}, self.connection('compute1')._vms)
        self.assertEqual('compute2', self.host_of(self.server))

    def _move_with_audits(self):
        """Each host's account is right at every step of the move."""
        both = {'compute1': {0, 1}, 'compute2': {2, 3}}
        audited = []
        send = nova_transport.NovaTransport.send

        def audit_and_send(transport, *args):
            # Claimed at the destination, and not yet there.
            self.assert_audited(both)
            audited.append(True)
            send(transport, *args)

        self.stub_out(
            'nova_numa_migrate.virt.nova_transport.NovaTransport.send',
            audit_and_send,
        )
        self.assert_audited({'compute1': {0, 1}, 'compute2': set()})
        self.hinted_migrate(self.server, [3, 2])
        self.assertEqual([True], audited)
        self.assert_audited(both)

    def test_revert_goes_back_to_the_state_that_was_saved(self):
        memory = self.guest(self.server).memory
        boot_id, saved_at = memory.boot_id, memory.tick()
        on_disk = self._disk('compute1').read_text()
        self._move_with_audits()
        # The guest runs on at the destination, and writes.
        self.assertEqual(saved_at + 1, self.guest(self.server).memory.tick())
        self._disk('compute2').write_text('written at the destination')
        self.revert(self.server)
        self.assertEqual(['compute1'], self.running_on(self.server))
        # Memory and disk are of one moment: that of the save.
        memory = self.guest(self.server).memory
        self.assertEqual((boot_id, saved_at), (memory.boot_id, memory.counter))
        self.assertEqual(on_disk, self._disk('compute1').read_text())
        self.assert_on_nodes(self.server, [0, 1])
        self.assert_audited({'compute1': {0, 1}, 'compute2': set()})
        self.assertEqual(NOTHING, self.checkpoint_files())

    def test_hard_reboot_boots(self):
        self.hinted_migrate(self.server, [3, 2])
        self.confirm(self.server)
        boot_id = self.guest(self.server).memory.boot_id
        self._reboot_server(self.server, hard=True, api=self.admin_api)
        memory = self.guest(self.server).memory
        self.assertNotEqual(boot_id, memory.boot_id)
        self.assertEqual(0, memory.counter)
        self.assert_on_nodes(self.server, [3, 2])

    def test_delete_before_the_confirm_leaves_no_checkpoint(self):
        self.hinted_migrate(self.server, [3, 2])
        self.assertNotEqual(NOTHING, self.checkpoint_files())
        self._delete_server(self.server)
        self.assertEqual(NOTHING, self.checkpoint_files())
        self.assert_audited({'compute1': set(), 'compute2': set()})

    def test_deleted_right_after_an_audited_revert(self):
        self.hinted_migrate(self.server, [3, 2])
        self._run_periodics()
        self.revert(self.server)
        self._delete_server(self.server)
        self.assert_audited({'compute1': set(), 'compute2': set()})

    def test_a_stopped_server_moves_without_a_checkpoint(self):
        self._stop_server(self.server)
        self.hinted_migrate(self.server, [3, 2])
        self.assertEqual([], self.running_on(self.server))
        self.assertEqual(NOTHING, self.checkpoint_files())
        self._confirm_stopped()
        self._start_server(self.server)
        self.assert_on_nodes(self.server, [3, 2])

    def _confirm_stopped(self):
        self.post_action(self.server, {'confirmResize': None}, 204)
        self.wait_for(self.server, 'SHUTOFF')
