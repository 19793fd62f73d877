# SPDX-License-Identifier: Apache-2.0
"""A guest that is back waits for its ports, which do not become ready."""

from __future__ import annotations

from unittest import mock

from nova.compute import manager
from nova.virt.libvirt import driver
from oslo_utils.fixture import uuidsentinel as uuids

from tests.functional import reverting


class PortsTest(reverting.SharedTestCase):
    def setUp(self):
        super().setUp()
        self.flags(vif_plugging_timeout=1, vif_plugging_is_fatal=True)

    @staticmethod
    def _never_ready():
        """Neutron's agent says nothing of a port.

        At a destination Nova does not wait for it.
        """
        return mock.patch.object(
            driver.LibvirtDriver,
            '_get_neutron_events',
            lambda *_: [('network-vif-plugged', uuids.port)],
        )

    def test_the_guest_has_not_run(self):
        self.move()
        with self.assert_goes_on(self.server):
            with self._never_ready():
                self.post_revert()
                self.wait_for(self.server, 'ERROR')
            self.assertEqual([], self.running_on(self.server))
            # It has not run: its state is kept, by the sweeps, too.
            for host in self.computes.values():
                host.manager._sweep_checkpoints(self.ctxt)
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self.assertEqual('compute1', self.host_of(self.server))
        self._wait_for_assert(self._assert_nothing_left)

    def test_neutron_fails_to_make_them(self):
        """Nova takes what belongs to the guest down, and lets it stand."""

        def fail(api, instance, events, error_callback, timeout):
            for event in events:
                error_callback(event, instance)

        with mock.patch.object(
            manager.ComputeVirtAPI, '_wait_for_instance_events', fail
        ):
            self.test_the_guest_has_not_run()

    def test_nobody_insists_on_them(self):
        self.flags(vif_plugging_is_fatal=False)
        self.move()
        with (
            self.assert_goes_on(self.server),
            self._never_ready(),
        ):
            self.revert(self.server)
        self.assert_home()
