# SPDX-License-Identifier: Apache-2.0
"""What a source tells of a guest that cannot be saved."""

from unittest import mock

from nova import objects
from nova import test
from nova.compute import power_state
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host

from nova_numa_migrate.virt import driver
from nova_numa_migrate.virt import guests

XML = """
<domain><devices>
  <disk type="block"><target dev="vda"/></disk>
  <disk type="block"><target dev="vdb"/></disk>
  <tpm model="tpm-crb"/>
</devices></domain>
"""


class BlockersOfTestCase(test.NoDBTestCase):
    def test_all_of_them_and_no_volume(self):
        guest = mock.create_autospec(libvirt_guest.Guest, instance=True)
        guest.get_xml_desc.return_value = XML
        guest.get_power_state.return_value = power_state.PAUSED
        here = mock.create_autospec(driver.NumaLibvirtDriver, instance=True)
        here._host = mock.create_autospec(libvirt_host.Host, instance=True)
        here._host.get_guest.return_value = guest
        instance = mock.create_autospec(objects.Instance, instance=True)
        instance.get_bdms.return_value = [
            mock.Mock(is_volume=True, device_name='/dev/vdb'),
            mock.Mock(is_volume=True, device_name=None),
            mock.Mock(is_volume=False, device_name='/dev/vda'),
        ]
        self.assertEqual(
            ['it is paused, not running', 'vTPM (tpm)', 'LVM disk (vda)'],
            guests.GuestsMixin.blockers_of(here, instance),
        )
