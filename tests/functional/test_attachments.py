# SPDX-License-Identifier: Apache-2.0
"""The source's service dies when the guest's volumes have left the host."""

from __future__ import annotations

from unittest import mock

from nova import exception
from nova.network import neutron
from nova.virt.libvirt import driver as libvirt_driver
from nova.volume import cinder

from nova_numa_migrate.compute import attachments
from tests.functional import failing
from tests.functional import reverting


class AttachmentsTest(reverting.SharedTestCase):
    def setUp(self):
        super().setUp()
        self.completed = []
        self.silent = False
        for where, name, replacement in (
            (cinder.API, 'attachment_get', self._get),
            (cinder.API, 'attachment_complete', self._complete),
            (libvirt_driver.LibvirtDriver, '_connect_volume', self._connect),
        ):
            patcher = mock.patch.object(where, name, new=replacement)
            patcher.start()
            self.addCleanup(patcher.stop)

    def _get(self, context, attachment):
        """As Cinder does: one without a connector has no connection."""
        if self.silent:
            raise exception.CinderConnectionFailed(reason='connection refused')
        found = self.cinder.fake_attachment_get(context, attachment)
        if self._known()[attachment]['connector'] is None:
            found['connection_info'] = {}
        return found

    def _complete(self, context, attachment):
        self.cinder.fake_attachment_complete(context, attachment)
        self.completed.append(attachment)

    def _connect(self, context, connection_info, *args, **kwargs):
        """As iSCSI and FC do: what is exported no more is not found."""
        known = self._known().get(connection_info['data']['attachment_id'])
        if known is None or known['connector'] is None:
            raise exception.VolumeNotFound(volume_id=reverting.VOLUME)

    def _known(self):
        return self.cinder.volume_to_attachment[reverting.VOLUME]

    def _die(self):
        before = set(self._known())
        self.kill(
            'compute1',
            'resize_instance',
            neutron.API,
            'migrate_instance_start',
            failing.killed,
        )
        self.assertEqual('resize_migrating', self.task())
        self.assertEqual([], self.running_on(self.server))
        self.assertTrue(before.isdisjoint(self._known()))

    def _assert_ended(self):
        self._wait_for_assert(
            lambda: self.assertEqual(
                'error', self._migration_status(self.server)
            )
        )
        self.assert_as_before()
        [(uuid, attachment)] = self._known().items()
        self.assertEqual('compute1', attachment['connector']['host'])
        self.assertIn(uuid, self.completed)

    def test_it_goes_on_when_the_service_starts_again(self):
        with self.assert_goes_on(self.server):
            self._die()
            self.restart_compute_service('compute1')
        self._assert_ended()

    def _start_while_cinder_is_silent(self):
        self._die()
        self.silent = True
        self.restart_compute_service('compute1')
        self.silent = False
        self.wait_for(self.server, 'ERROR')
        self.assertEqual([], self.running_on(self.server))

    def test_a_reboot_has_it_go_on_when_cinder_answers(self):
        with self.assert_goes_on(self.server):
            self._start_while_cinder_is_silent()
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self._assert_ended()

    def test_its_state_can_be_given_up(self):
        self._start_while_cinder_is_silent()
        self._stop_server(self.server)
        self._start_server(self.server)
        self._assert_ended()

    def test_what_needs_no_export_goes_on_at_once(self):
        """With NFS and RBD the volume is found as it was."""
        with (
            self.assert_goes_on(self.server),
            mock.patch.object(
                libvirt_driver.LibvirtDriver, '_connect_volume', autospec=True
            ),
        ):
            self._die()
            # Cinder answers again when the guest has gone on.
            with mock.patch.object(attachments, 'renew', autospec=True):
                self.restart_compute_service('compute1')
        self._assert_ended()
