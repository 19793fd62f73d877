# SPDX-License-Identifier: Apache-2.0
"""The remapped guest: golden files, and what must hold for any of them."""

import ddt
from lxml import etree
import testtools

from nova_numa_migrate.guest_xml import remap
from tests.unit.guest_xml import golden

# What only a host sees, by libvirt's ABI check; written down once more here,
# so that remap cannot widen it without a test that fails.
HOST_SIDE = (
    '/domain/cputune',
    '/domain/numatune',
    '/domain/metadata',
    '/domain/memoryBacking/hugepages',
    '/domain/seclabel[@type="dynamic"]',
    '/domain/vcpu/@cpuset',
    '/domain/os/kernel/text()',
    '/domain/os/initrd/text()',
    '//disk/@type',
    '//disk/source',
    '//disk/auth',
    '//disk/encryption',
    '//disk/backingStore',
    '//disk/driver/@type',
    '//disk/driver/@cache',
    '//disk/driver/@io',
    '//disk/driver/@discard',
    '//interface/@type',
    '//interface/source',
    '//interface/target',
    '//interface/virtualport',
    '//interface/bandwidth',
    '//serial/@type',
    '//serial/source',
    '//serial/log',
    '//channel/@type',
    '//channel/source',
    '//console',
    '//graphics/@port',
    '//graphics/@autoport',
    '//graphics/@listen',
    '//graphics/listen',
    '//rng/backend',
)

# Names that stand in the saved guests for what the source host alone has.
SOURCE_ONLY = (
    '/srv/source',
    '/dev/pts/',
    '/dev/hwrng',
    '10.1.0.11',
    '10.1.0.5',
    '10.1.0.21',
    'tap-source',
    'vhu-source',
    '/run/source',
    'aaaaaaaa-',
    '+64055',
    '_base',
    'channel/7-',
)

# What libvirt compares when it restores, and would refuse: each with a value
# that the destination's description might have by accident.
REFUSED = (
    ('/domain/name', 'text', 'other'),
    ('/domain/uuid', 'text', 'b8a5f7c2-0000-0000-0000-000000000000'),
    ('/domain/memory', 'text', '4194304'),
    ('/domain/vcpu', 'text', '8'),
    ('/domain/os/type', 'machine', 'pc-q35-11.0'),
    ('/domain/cpu', 'mode', 'custom'),
    ('/domain/cpu/numa/cell', 'memory', '65536'),
    ('/domain/cpu/numa/cell', 'cpus', '3'),
    ('/domain/cpu/topology', 'sockets', '1'),
    ('//disk/target', 'bus', 'scsi'),
    ('//interface/model', 'type', 'e1000'),
    ('//interface/mtu', 'size', '9000'),
    ('//video/model', 'type', 'cirrus'),
    ('//memballoon', 'model', 'none'),
    ('//channel/target', 'type', 'xen'),
)


def tree(xml):
    return etree.fromstring(xml.encode()).getroottree()


def canonical(xml):
    """The text that two equal documents share; lxml's own canonical form."""
    return etree.canonicalize(xml, strip_text=True)


def without(xml, paths):
    """The document without what the paths select."""
    document = tree(xml)
    for path in paths:
        for found in document.xpath(path):
            if isinstance(found, etree._Element):
                found.getparent().remove(found)
            elif found.is_attribute:
                del found.getparent().attrib[found.attrname]
            else:
                found.getparent().text = None
    return canonical(etree.tostring(document, encoding='unicode'))


def edited(xml, *edits):
    """The document after calls with its root."""
    root = etree.fromstring(xml.encode())
    for edit in edits:
        edit(root)
    return etree.tostring(root, encoding='unicode')


def removing(path):
    def edit(root):
        found = root.xpath(path)
        assert found, path
        for element in found:
            element.getparent().remove(element)

    return edit


def setting(path, name, value):
    def edit(root):
        found = root.xpath(path)
        assert found, path
        for element in found:
            if name == 'text':
                element.text = value
            else:
                element.set(name, value)

    return edit


def adding(path, xml):
    def edit(root):
        root.xpath(path)[0].append(etree.fromstring(xml))

    return edit


@ddt.ddt
class GoldenTestCase(testtools.TestCase):
    maxDiff = None

    @ddt.data(*golden.guests())
    def test_as_golden(self, guest):
        result = remap.remap(guest.saved, guest.fresh)
        self.assertEqual(golden.expected(guest.name, result), result)

    @ddt.data(*golden.guests())
    def test_nothing_that_the_guest_sees_changed(self, guest):
        result = remap.remap(guest.saved, guest.fresh)
        self.assertEqual(
            without(guest.saved, HOST_SIDE), without(result, HOST_SIDE)
        )

    @ddt.data(*golden.guests())
    def test_nothing_of_the_source_host_is_left(self, guest):
        result = remap.remap(guest.saved, guest.fresh)
        self.assertEqual([], [name for name in SOURCE_ONLY if name in result])

    @ddt.data(*golden.guests())
    def test_memory_and_cpus_are_the_destinations(self, guest):
        result = tree(remap.remap(guest.saved, guest.fresh))
        fresh = tree(guest.fresh)
        for path in ('numatune/*', 'cputune/vcpupin', 'cputune/emulatorpin'):
            self.assertEqual(
                [dict(found.attrib) for found in fresh.findall(path)],
                [dict(found.attrib) for found in result.findall(path)],
            )
            self.assertNotEqual([], result.findall(path))

    @ddt.data(*golden.guests())
    def test_it_can_be_remapped_again(self, guest):
        once = remap.remap(guest.saved, guest.fresh)
        twice = remap.remap(once, guest.fresh)
        self.assertEqual(canonical(once), canonical(twice))

    def test_the_golden_guests_have_a_source_host_to_lose(self):
        saved = ''.join(guest.saved for guest in golden.guests())
        self.assertEqual([], [n for n in SOURCE_ONLY if n not in saved])


@ddt.ddt
class GuestSideTestCase(testtools.TestCase):
    """The fresh XML cannot change what libvirt compares."""

    def setUp(self):
        super().setUp()
        self.guest = golden.guest('two-cells')
        self.usual = remap.remap(self.guest.saved, self.guest.fresh)

    @ddt.data(*REFUSED)
    @ddt.unpack
    def test_is_kept(self, path, name, value):
        fresh = edited(self.guest.fresh, setting(path, name, value))
        self.assertEqual(self.usual, remap.remap(self.guest.saved, fresh))

    @ddt.data('/domain/cpu/numa/cell[@id="1"]', '/domain/cpu', '//video')
    def test_is_not_lost(self, path):
        fresh = edited(self.guest.fresh, removing(path))
        self.assertEqual(self.usual, remap.remap(self.guest.saved, fresh))

    def test_memfd_is_not_added(self):
        fresh = edited(
            self.guest.fresh,
            adding('/domain/memoryBacking', '<source type="memfd"/>'),
        )
        self.assertEqual(self.usual, remap.remap(self.guest.saved, fresh))

    def test_a_device_attached_in_between_is_not_added(self):
        fresh = edited(
            self.guest.fresh,
            adding(
                '/domain/devices',
                '<interface type="bridge">'
                '<mac address="fa:16:3e:99:99:99"/></interface>',
            ),
        )
        self.assertEqual(self.usual, remap.remap(self.guest.saved, fresh))


@ddt.ddt
class DetachedTestCase(testtools.TestCase):
    @ddt.data(
        ('//interface', 'interface', 'fa:16:3e:00:00:01'),
        ('//disk[target/@dev="vda"]', 'disk', 'vda'),
        ('//disk[@device="cdrom"]', 'disk', 'sda'),
        ('//serial', 'serial', '0'),
        ('//channel', 'channel', 'org.qemu.guest_agent.0'),
        ('//graphics', 'graphics', 'vnc'),
        ('//rng', 'rng', 'virtio'),
    )
    @ddt.unpack
    def test_is_named(self, path, kind, name):
        guest = golden.guest('two-cells')
        fresh = edited(guest.fresh, removing(path))
        error = self.assertRaises(
            remap.UnmatchedDevice, remap.remap, guest.saved, fresh
        )
        self.assertIn(f'the {kind} "{name}"', str(error))


class DetailsTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.guest = golden.guest('two-cells')

    def remap(self, *edits, saved=()):
        return tree(
            remap.remap(
                edited(self.guest.saved, *saved),
                edited(self.guest.fresh, *edits),
            )
        )

    def test_a_fresh_guest_without_tuning_leaves_none(self):
        result = self.remap(removing('cputune'), removing('numatune'))
        self.assertEqual([], result.xpath('cputune | numatune'))

    def test_tuning_that_the_saved_guest_did_not_have_is_added(self):
        result = self.remap(saved=[removing('cputune'), removing('numatune')])
        self.assertEqual(4, len(result.findall('cputune/vcpupin')))
        self.assertEqual(2, len(result.findall('numatune/memnode')))

    def test_the_pages_have_the_size_that_was_claimed(self):
        page = '//memoryBacking/hugepages/page'
        result = self.remap(setting(page, 'size', '1048576'))
        self.assertEqual({'1048576'}, set(result.xpath(f'{page}/@size')))

    def test_small_pages_become_huge_ones(self):
        result = self.remap(saved=[removing('memoryBacking')])
        self.assertEqual(
            ['2048', '2048'], result.xpath('memoryBacking//page/@size')
        )
        self.assertEqual(
            ['hugepages'], [n.tag for n in result.find('memoryBacking')]
        )

    def test_huge_pages_become_small_ones(self):
        result = self.remap(removing('memoryBacking'))
        self.assertEqual(
            ['nosharepages', 'locked'],
            [n.tag for n in result.find('memoryBacking')],
        )
        backing = '<memoryBacking><hugepages/></memoryBacking>'
        result = self.remap(
            removing('memoryBacking'),
            saved=[removing('memoryBacking'), adding('/domain', backing)],
        )
        self.assertIsNone(result.find('memoryBacking'))

    def test_the_pins_of_its_io_threads_are_the_destinations(self):
        result = self.remap()
        pin = result.find('cputune/iothreadpin')
        self.assertEqual('6', pin.get('cpuset'))

    def test_io_threads_it_does_not_have_are_not_pinned(self):
        result = self.remap(saved=[removing('iothreads')])
        self.assertEqual([], result.findall('cputune/iothreadpin'))

    def test_of_two_io_thread_pins_one_is_kept(self):
        result = self.remap(
            adding('cputune', '<iothreadpin iothread="2" cpuset="6"/>')
        )
        self.assertEqual(
            ['1'],
            [p.get('iothread') for p in result.findall('cputune/iothreadpin')],
        )

    def test_a_floating_guest_loses_its_cpuset(self):
        result = self.remap(saved=[setting('vcpu', 'cpuset', '0-3')])
        self.assertIsNone(result.find('vcpu').get('cpuset'))

    def test_static_labels_stay(self):
        label = '<seclabel type="static" model="dac"><label>0</label>'
        result = self.remap(
            saved=[adding('/domain', label + '</seclabel>')],
        )
        self.assertEqual(
            ['static'], [s.get('type') for s in result.findall('seclabel')]
        )

    def test_consoles_stay_where_nova_describes_them(self):
        console = (
            '<console type="pty"><log file="/new/console.log"/></console>'
        )
        result = self.remap(adding('/domain/devices', console))
        found = result.find('devices/console')
        self.assertEqual('/new/console.log', found.find('log').get('file'))
        self.assertIsNone(found.get('tty'))
        self.assertIsNone(found.find('source'))

    def test_a_mirror_job_and_the_backing_chain_are_looked_up_anew(self):
        result = self.remap(
            saved=[adding('//disk', '<mirror type="file" job="copy"/>')]
        )
        self.assertEqual([], result.xpath('//mirror | //backingStore'))

    def test_macs_match_whatever_their_case(self):
        result = self.remap(
            setting('//interface/mac', 'address', 'FA:16:3E:00:00:01')
        )
        mac = result.find('devices/interface/mac')
        self.assertEqual('fa:16:3e:00:00:01', mac.get('address'))

    def test_the_kind_of_a_host_side_may_change(self):
        result = self.remap(
            setting('//disk', 'type', 'network'),
            setting('//interface', 'type', 'vhostuser'),
            setting('//serial', 'type', 'tcp'),
        )
        self.assertEqual({'network'}, set(result.xpath('//disk/@type')))
        self.assertEqual(['vhostuser'], result.xpath('//interface/@type'))
        self.assertEqual(['tcp'], result.xpath('//serial/@type'))

    def test_a_ports_filter_is_the_destinations(self):
        result = self.remap(
            adding('//interface', '<filterref filter="new"/>'),
            saved=[adding('//interface', '<filterref filter="old"/>')],
        )
        self.assertEqual(['new'], result.xpath('//filterref/@filter'))

    def test_where_a_screen_listens_is_the_destinations(self):
        names = ('listen', 'port', 'tlsPort', 'autoport', 'websocket')
        result = self.remap(
            *(setting('//graphics', name, f'new-{name}') for name in names),
            adding('//graphics', '<listen type="address" address="::"/>'),
            adding('//graphics', '<listen type="socket"/>'),
            saved=[setting('//graphics', name, 'old') for name in names],
        )
        screen = result.find('devices/graphics')
        self.assertEqual(
            {'type': 'vnc', **{name: f'new-{name}' for name in names}},
            dict(screen.attrib),
        )
        self.assertEqual(['address', 'socket'], screen.xpath('listen/@type'))

    def test_what_one_side_alone_has_is_left(self):
        result = self.remap(
            removing('vcpu'),
            removing('//disk/driver'),
            adding('os', '<kernel>/new</kernel>'),
        )
        self.assertEqual('4', result.findtext('vcpu'))
        self.assertEqual(2, len(result.xpath('//disk/driver')))
        self.assertIsNone(result.find('os/kernel'))
