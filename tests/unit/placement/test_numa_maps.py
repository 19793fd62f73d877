# SPDX-License-Identifier: Apache-2.0
"""Reading the kernel's account of a process's memory.

The texts are those of Linux 6.18 for a process that mapped areas of 4 MiB
with a guard page pair after each and bound them in every way, from the first
at the highest address to the sixth; then a memfd.  The lines of huge pages
and of several nodes are from a host with four nodes.
"""

import pathlib

import ddt
import testtools

from nova_numa_migrate.placement import numa_maps

MIB = 1024 * 1024

MAPS = """\
5652935fd000-5652935fe000 r--p 00002000 fe:00 2876743         /usr/bin/qemu
7fd6fe6ec000-7fd6feaec000 rw-s 00000000 00:01 80 /memfd:memory (deleted)
7fd6feaec000-7fd6feeec000 rw-p 00000000 00:00 0 
7fd6feeec000-7fd6feeee000 ---p 00000000 00:00 0 
7fd6feeee000-7fd6ff2ee000 rw-p 00000000 00:00 0 
7fd6ff2ee000-7fd6ff2f0000 ---p 00000000 00:00 0 
7fd6ff2f0000-7fd6ff6f0000 rw-p 00000000 00:00 0 
7fd6ff6f0000-7fd6ff6f2000 ---p 00000000 00:00 0 
7fd6ff6f2000-7fd6ffaf2000 rw-p 00000000 00:00 0 
7fd6ffaf2000-7fd6ffaf4000 ---p 00000000 00:00 0 
7fd6ffaf4000-7fd6ffef4000 rw-p 00000000 00:00 0 
7fd6ffef4000-7fd6ffef6000 ---p 00000000 00:00 0 
7fd6ffef6000-7fd7002f6000 rw-p 00000000 00:00 0 
7fd7002f6000-7fd7002f8000 ---p 00000000 00:00 0 
7fff5ee9b000-7fff5eebc000 rw-p 00000000 00:00 0               [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0       [vsyscall]
"""  # noqa: W291

NUMA_MAPS = """\
5652935fd000 default file=/usr/bin/qemu anon=1 dirty=1 N0=1 kernelpagesize_kB=4
7fd6fe6ec000 bind:0 file=/memfd:memory\\040(deleted) dirty=1024 active=0 \
N0=1024 kernelpagesize_kB=4
7fd6feaec000 default anon=512 dirty=512 active=0 N0=512 kernelpagesize_kB=4
7fd6feeec000 default
7fd6feeee000 prefer (many):0 anon=512 dirty=512 N0=512 kernelpagesize_kB=4
7fd6ff2ee000 default
7fd6ff2f0000 interleave:0 anon=512 dirty=512 N0=512 kernelpagesize_kB=4
7fd6ff6f0000 default
7fd6ff6f2000 prefer:0 anon=512 dirty=512 active=0 N0=512 kernelpagesize_kB=4
7fd6ffaf2000 default
7fd6ffaf4000 bind=static:0 anon=512 dirty=512 N0=512 kernelpagesize_kB=4
7fd6ffef4000 default
7fd6ffef6000 bind:0 anon=512 dirty=512 active=0 N0=512 kernelpagesize_kB=4
7fd7002f6000 default
7fff5ee9b000 default stack anon=3 dirty=3 active=1 N0=3 kernelpagesize_kB=4
"""


def one(fields, size=4 * MIB):
    """The area of one line."""
    maps = f'7f0000000000-{0x7F0000000000 + size:x} rw-p 00000000 00:00 0'
    (area,) = numa_maps.areas(maps, f'7f0000000000 {fields}\n')
    return area


def area(start, size=4 * MIB, policy='default', pages=None):
    return numa_maps.Area(start, size, policy, 4096, pages or {})


def bound(*nodes):
    return {c: frozenset({n}) for c, n in enumerate(nodes)}


class SampleTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.areas = numa_maps.areas(MAPS, NUMA_MAPS)

    def test_every_area_in_both_files_is_there_once(self):
        # The kernel tells no policy of the vsyscall page.
        self.assertEqual(
            MAPS.count('\n') - 1, len({a.start for a in self.areas})
        )
        self.assertEqual(NUMA_MAPS.count('\n'), len(self.areas))

    def test_of_equal_size_in_the_order_of_their_mapping(self):
        ram = [area for area in self.areas if area.size == 4 * MIB]
        self.assertEqual(
            [
                ('bind:0', {0: 512}),
                ('bind=static:0', {0: 512}),
                ('prefer:0', {0: 512}),
                ('interleave:0', {0: 512}),
                ('prefer (many):0', {0: 512}),
                ('default', {0: 512}),
                ('bind:0', {0: 1024}),
            ],
            [(area.policy, area.pages) for area in reversed(ram)],
        )

    def test_a_guard_is_an_area_without_pages(self):
        guard = next(a for a in self.areas if a.start == 0x7FD6FEEEC000)
        self.assertEqual((8192, {}), (guard.size, guard.pages))

    def test_this_process(self):
        process = pathlib.Path('/proc/self')
        if not (process / 'numa_maps').exists():
            # Linux without CONFIG_NUMA: it runs no guest of ours.
            return
        found = numa_maps.areas(
            (process / 'maps').read_text(), (process / 'numa_maps').read_text()
        )
        self.assertGreater(len(found), 10)
        self.assertGreater(sum(sum(a.pages.values()) for a in found), 100)
        self.assertEqual(set(), {a.page_size for a in found} - {4096, 2 << 20})


@ddt.ddt
class LinesTestCase(testtools.TestCase):
    @ddt.data(
        ('bind:1', {1}),
        ('bind:13', {13}),
        ('bind=static:1', {1}),
        ('bind=relative:1', set()),
        ('bind:0-1', {0, 1}),
        ('bind:0,2', {0, 2}),
        ('bind=static:0-3', {0, 1, 2, 3}),
        ('bind', set()),
        ('interleave:1', set()),
        ('weighted interleave:0-1', set()),
        ('prefer:1', set()),
        ('prefer (many):1', set()),
        ('prefer (many)=static:1', set()),
        ('local', set()),
        ('default', set()),
    )
    @ddt.unpack
    def test_policy(self, policy, nodes):
        found = one(f'{policy} anon=7 N3=7 kernelpagesize_kB=4')
        self.assertEqual(policy, found.policy)
        self.assertEqual(nodes, found.nodes)
        self.assertEqual({3: 7}, found.pages)

    def test_an_area_without_pages(self):
        self.assertEqual(
            numa_maps.Area(0x7F0000000000, 4 * MIB, 'bind:2', 4096, {}),
            one('bind:2'),
        )

    def test_pages_on_several_nodes(self):
        found = one('bind:0-3 anon=30 dirty=30 N0=1 N2=9 N13=20')
        self.assertEqual({0: 1, 2: 9, 13: 20}, found.pages)

    def test_huge_pages_are_counted_in_their_size(self):
        found = one(
            'bind:1 file=/dev/hugepages/libvirt/qemu/1-g/ram-node0\\040'
            '(deleted) huge anon=32 dirty=32 N1=32 kernelpagesize_kB=2048',
            64 * MIB,
        )
        self.assertEqual(2 * MIB, found.page_size)
        self.assertEqual({1: 32}, found.pages)
        self.assertEqual(
            found.size, found.page_size * sum(found.pages.values())
        )

    def test_a_gigantic_page(self):
        found = one('bind:1 huge anon=1 N1=1 kernelpagesize_kB=1048576')
        self.assertEqual(1024 * MIB, found.page_size)

    def test_the_name_of_a_file_is_no_field(self):
        found = one(
            'bind:1 file=/x/N0=9kernelpagesize_kB=8 N1=3 kernelpagesize_kB=4'
        )
        self.assertEqual({1: 3}, found.pages)
        self.assertEqual(4096, found.page_size)

    def test_an_area_that_went_between_the_two_readings_is_left_out(self):
        self.assertEqual([], numa_maps.areas('', '7f0000000000 default\n'))
        self.assertEqual(
            [], numa_maps.areas('7f0000000000-7f0000001000 rw-p 0 0:0 0\n', '')
        )


class GuestRamTestCase(testtools.TestCase):
    def test_by_size(self):
        small, large = area(0x1000, 64 * MIB), area(0x9000, 128 * MIB)
        other = area(0x5000, 8 * MIB)
        self.assertEqual(
            [large, small],
            numa_maps.guest_ram(
                [small, other, large], [128 * MIB, 64 * MIB], {}
            ),
        )

    def test_equal_sizes_by_the_node_they_are_bound_to(self):
        three, two = (
            area(0x1000, policy='bind:3'),
            area(0x2000, policy='bind:2'),
        )
        for found in ([three, two], [two, three]):
            self.assertEqual(
                [three, two],
                numa_maps.guest_ram(found, [4 * MIB] * 2, bound(3, 2)),
            )
            self.assertEqual(
                [two, three],
                numa_maps.guest_ram(found, [4 * MIB] * 2, bound(2, 3)),
            )

    def test_what_is_bound_right_does_not_go_to_another_cell(self):
        loose, tight = area(0x1000), area(0x2000, policy='bind:1')
        self.assertEqual(
            [loose, tight],
            numa_maps.guest_ram(
                [loose, tight], [4 * MIB] * 2, {1: frozenset({1})}
            ),
        )

    def test_unbound_ones_in_the_order_in_which_linux_maps_them(self):
        found = [
            a
            for a in numa_maps.areas(MAPS, NUMA_MAPS)
            if a.policy.startswith(('prefer', 'interleave'))
        ]
        ram = numa_maps.guest_ram(found, [4 * MIB] * 3, {})
        self.assertEqual(
            ['prefer:0', 'interleave:0', 'prefer (many):0'],
            [a.policy for a in ram],
        )

    def test_a_missing_one_is_none(self):
        there = area(0x1000, policy='bind:1')
        self.assertEqual(
            [None, there],
            numa_maps.guest_ram([there], [4 * MIB, 4 * MIB], bound(0, 1)),
        )
        self.assertEqual([None], numa_maps.guest_ram([], [4 * MIB], bound(0)))

    def test_one_that_was_merged_with_its_guard_is_not_taken_for_it(self):
        merged = area(0x1000, 4 * MIB + 8192, 'bind:0')
        self.assertEqual(
            [None], numa_maps.guest_ram([merged], [4 * MIB], bound(0))
        )

    def test_no_area_is_two_cells(self):
        there = area(0x1000, policy='bind:0')
        ram = numa_maps.guest_ram([there], [4 * MIB] * 2, bound(0, 0))
        self.assertEqual([there, None], ram)

    def test_bound_elsewhere_is_not_taken(self):
        there = area(0x1000, policy='bind:1')
        ram = numa_maps.guest_ram([there], [4 * MIB], bound(0))
        self.assertEqual([None], ram)


class BindingsTestCase(testtools.TestCase):
    def test_as_libvirt_writes_them(self):
        command = (
            '/usr/bin/qemu-system-x86_64\0-name\0guest=g,debug-threads=on\0'
            '-object\0{"qom-type":"secret","id":"masterKey0"}\0'
            '-object\0{"qom-type":"memory-backend-ram","id":"ram-node0",'
            '"size":67108864,"host-nodes":[3],"policy":"bind"}\0'
            '-numa\0node,nodeid=0,cpus=0,memdev=ram-node0\0'
            '-object\0{"qom-type":"memory-backend-ram","id":"ram-node1",'
            '"size":67108864,"host-nodes":[0,2],"policy":"interleave"}\0'
            '-object\0{"qom-type":"memory-backend-ram","id":"pc.ram"}\0'
            '-object\0rng-random,id=ram-node7\0'
        )
        self.assertEqual(
            {0: frozenset({3}), 1: frozenset({0, 2})},
            numa_maps.bindings(command),
        )

    def test_none(self):
        self.assertEqual({}, numa_maps.bindings(''))
