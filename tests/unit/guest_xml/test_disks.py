# SPDX-License-Identifier: Apache-2.0
"""Which disks of a guest are what, by libvirt's own XML."""

import ddt
import testtools

from nova_numa_migrate.guest_xml import disks
from tests.unit.guest_xml import golden

BASE = '/var/lib/nova/instances/_base'


def guest(**bases):
    """A guest with these disks, each over a base of that name."""
    text = ''.join(
        f'<disk type="file"><source file="/i/u/disk"/>'
        f'<backingStore type="file"><source file="{BASE}/{base}"/>'
        f'<backingStore/></backingStore><target dev="{target}"/></disk>'
        for target, base in bases.items()
    )
    return f'<domain><devices>{text}</devices></domain>'


@ddt.ddt
class OverOwnBasesTestCase(testtools.TestCase):
    @ddt.data(*golden.guests())
    def test_an_image_is_the_same_everywhere(self, guest):
        self.assertEqual([], disks.over_own_bases(guest.saved))

    def test_what_nova_formats_is_not(self):
        xml = guest(
            vda='97d170e1550eee4afc0af065b78cda302a97674c',
            vdb='ephemeral_1_40d1d2c',
            vdc='swap_512',
        )
        self.assertEqual(['vdb', 'vdc'], disks.over_own_bases(xml))

    def test_a_disk_without_a_base(self):
        self.assertEqual(
            [],
            disks.over_own_bases(
                '<domain><devices><disk><source file="/i/u/swap_512"/>'
                '<backingStore/><target dev="vda"/></disk></devices></domain>'
            ),
        )
