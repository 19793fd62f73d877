# SPDX-License-Identifier: Apache-2.0
"""Which disks of a guest are what, by libvirt's own XML."""

import ddt
import testtools

from nova_numa_migrate.guest_xml import disks
from nova_numa_migrate.move import Disks
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


DIRECTORY = '/var/lib/nova/instances/u'
FILE = f'<source file="{DIRECTORY}/disk"/>'
SHARED = (
    '<source protocol="rbd" name="vms/u_disk"/>',
    '<source dev="/dev/sdb"/>',
    '<source file="/var/lib/nova/mnt/0/volume-1"/>',
    '<source file="/var/lib/nova/instances/u_other/disk"/>',
)


def described(*sources, device='disk', more=''):
    text = ''.join(
        f'<disk device="{device}">{source}{more}</disk>' for source in sources
    )
    return f'<domain><devices>{text}</devices></domain>'


@ddt.ddt
class AtARevertTestCase(testtools.TestCase):
    def find(self, *args, **kwargs):
        return disks.at_a_revert(described(*args, **kwargs), DIRECTORY)

    def test_files_of_the_instance_are_kept(self):
        self.assertIs(Disks.KEPT, self.find(FILE, FILE))

    @ddt.data(*SHARED)
    def test_all_else_is_shared(self, source):
        self.assertIs(Disks.SHARED, self.find(source))
        self.assertIs(Disks.SHARED, self.find(source, SHARED[0]))

    @ddt.data(*SHARED)
    def test_some_of_each(self, source):
        self.assertIs(Disks.MIXED, self.find(FILE, source))

    def test_a_volume_that_takes_scsi_commands_is_a_disk(self):
        lun = '<disk device="lun"><source dev="/dev/sdb"/></disk></devices>'
        xml = described(FILE).replace('</devices>', lun)
        self.assertIs(Disks.MIXED, disks.at_a_revert(xml, DIRECTORY))
        xml = described(SHARED[1], device='lun')
        self.assertIs(Disks.SHARED, disks.at_a_revert(xml, DIRECTORY))

    @ddt.data({'device': 'cdrom'}, {'more': '<readonly/>'})
    def test_what_the_guest_cannot_write_to_does_not_count(self, more):
        files = described(FILE, **more)
        both = files.replace('</devices>', '<disk device="disk"/></devices>')
        self.assertIs(Disks.SHARED, disks.at_a_revert(both, DIRECTORY))
        self.assertIs(Disks.KEPT, disks.at_a_revert(files, DIRECTORY))


@ddt.ddt
class OwnFilesTestCase(testtools.TestCase):
    @ddt.data(*SHARED)
    def test_those_in_the_directory_of_the_instance(self, source):
        swap = FILE.replace('/disk"', '/disk.swap"')
        xml = described(FILE, source, swap)
        self.assertEqual(
            ['disk', 'disk.swap'], disks.own_files(xml, DIRECTORY)
        )

    @ddt.data({'device': 'cdrom'}, {'more': '<readonly/>'})
    def test_not_what_the_guest_cannot_write_to(self, more):
        self.assertEqual(
            [], disks.own_files(described(FILE, **more), DIRECTORY)
        )
