# SPDX-License-Identifier: Apache-2.0
"""What stands against a checkpoint, each device by its name."""

import ddt
from lxml import etree
import testtools

from nova_numa_migrate.guest_xml import blockers
from tests.unit.guest_xml import golden

ALIAS = '<alias name="dev0"/>'

# The path of the parent, the blocker in it, and what is said of it.
KINDS = (
    (
        'devices',
        f'<hostdev mode="subsystem" type="pci">{ALIAS}</hostdev>',
        'PCI device passed through (dev0)',
    ),
    (
        'devices',
        f'<hostdev type="mdev" model="vfio-pci">{ALIAS}</hostdev>',
        'mediated device (vGPU) (dev0)',
    ),
    (
        'devices',
        f'<hostdev type="usb">{ALIAS}</hostdev>',
        'host device passed through (dev0)',
    ),
    (
        'devices',
        f'<interface type="hostdev">{ALIAS}</interface>',
        'SR-IOV port (dev0)',
    ),
    (
        'devices',
        '<interface type="vdpa"><mac address="fa:16:3e:0:0:1"/></interface>',
        'vDPA port (fa:16:3e:0:0:1)',
    ),
    (
        'devices',
        '<interface type="direct"><target dev="macvtap0"/></interface>',
        'macvtap port (macvtap0)',
    ),
    (
        'devices',
        f'<filesystem type="mount">{ALIAS}</filesystem>',
        'virtiofs share (dev0)',
    ),
    ('devices', f'<tpm model="tpm-crb">{ALIAS}</tpm>', 'vTPM (dev0)'),
    (
        'devices',
        f'<memory model="nvdimm">{ALIAS}</memory>',
        'persistent memory device (dev0)',
    ),
    (
        'devices',
        f'<shmem name="s">{ALIAS}</shmem>',
        'shared memory device (dev0)',
    ),
    ('.', '<launchSecurity type="sev"/>', 'encrypted memory (launchSecurity)'),
    ('os', '<nvram>/v/n.fd</nvram>', 'UEFI variable store (NVRAM) (nvram)'),
    (
        'devices',
        f'<disk type="block"><target dev="vdz"/>{ALIAS}</disk>',
        'LVM disk (dev0)',
    ),
)

#: Of the golden guests, and so no reason.
VOLUMES = {'vdb', 'vdc'}


def with_added(*kinds):
    root = etree.fromstring(golden.guest('two-cells').saved.encode())
    for path, xml, _ in kinds:
        root.find(path).append(etree.fromstring(xml))
    return etree.tostring(root, encoding='unicode')


@ddt.ddt
class BlockersTestCase(testtools.TestCase):
    @ddt.data(*golden.guests())
    def test_none(self, guest):
        self.assertEqual([], blockers.blockers(guest.saved, VOLUMES))

    @ddt.data(*KINDS)
    def test_one(self, kind):
        self.assertEqual([kind[2]], blockers.blockers(with_added(kind)))

    def test_all_are_named_at_once(self):
        self.assertEqual(
            sorted(kind[2] for kind in KINDS),
            sorted(blockers.blockers(with_added(*KINDS))),
        )

    def test_each_device_of_a_kind_is_named(self):
        second = (
            'devices',
            '<hostdev type="pci"><alias name="dev1"/></hostdev>',
            '',
        )
        self.assertEqual(
            [KINDS[0][2], 'PCI device passed through (dev1)'],
            blockers.blockers(with_added(KINDS[0], second)),
        )

    def test_every_kind_that_is_known_is_tested(self):
        self.assertEqual(
            {name for _, name in blockers._BLOCKERS} | {blockers._LVM},
            {text.rpartition(' (')[0] for _, _, text in KINDS},
        )

    def test_a_volume_is_no_lvm_disk(self):
        xml = with_added(KINDS[-1])
        self.assertEqual([], blockers.blockers(xml, {'vdz'}))
        self.assertEqual(['LVM disk (dev0)'], blockers.blockers(xml, {'vda'}))
