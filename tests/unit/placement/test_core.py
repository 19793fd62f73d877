# SPDX-License-Identifier: Apache-2.0
"""Where guests fit, and the words of each refusal."""

import dataclasses

import ddt
import testtools

from nova_numa_migrate import hint
from nova_numa_migrate.placement import cells
from nova_numa_migrate.placement import core
from nova_numa_migrate.placement import reasons

POOLS = (
    cells.PagePool(1048576, 4, 1),
    cells.PagePool(2048, 1024, 512),
    cells.PagePool(4, 1048576, 524288),
)
DEDICATED = cells.CpuPolicy.DEDICATED
MIXED = cells.CpuPolicy.MIXED


def node(number=0, **fields):
    """Four dedicated CPUs on two cores, four shared CPUs, 4096 MiB."""
    first = 10 * number
    return cells.HostCell(
        **{
            'node': number,
            'shared_cpus': 4,
            'shared_used': 0,
            'free_cpus': set(range(first, first + 4)),
            'siblings': [{first, first + 1}, {first + 2, first + 3}],
            'one_cpu_set': False,
            'memory': 4096,
            'memory_used': 0,
            'pools': (),
            **fields,
        }
    )


def dedicated(count, **fields):
    return cells.GuestCell(
        **{
            'memory': 1024,
            'policy': DEDICATED,
            'dedicated': frozenset(range(count)),
            **fields,
        }
    )


def shared(count, **fields):
    return cells.GuestCell(**{'memory': 1024, 'shared': count, **fields})


def placed(nodes, guests, named=None, ratios=None, **guest):
    return core.place(
        cells.Host(nodes, ratios),
        cells.Guest(guests, **guest),
        named and hint.NodeMap(named),
    )


@ddt.ddt
class OneCellTestCase(testtools.TestCase):
    def lacks(self, host, guest, ratios=None, **fields):
        """The words after the node, of a guest of one cell."""
        result = placed([host], [guest], (0,), ratios, **fields)
        self.assertIsInstance(result, reasons.Refused)
        # Without a map it is the same.
        self.assertEqual(
            list(result.reasons),
            list(placed([host], [guest], None, ratios, **fields).reasons),
        )
        return [
            str(reason).removeprefix('node 0: ') for reason in result.reasons
        ]

    def fits(self, host, guest, **fields):
        [cell] = placed([host], [guest], (0,), **fields).cells
        return cell

    def test_dedicated_cpus(self):
        self.assertEqual(
            ['needs 5 dedicated CPUs, 4 free'],
            self.lacks(node(), dedicated(5)),
        )

    def test_dedicated_cpus_and_one_for_the_emulator(self):
        self.assertEqual(
            [
                'needs 5 dedicated CPUs, one of them for its isolated '
                'emulator threads, 4 free'
            ],
            self.lacks(node(), dedicated(4), emulator_isolated=True),
        )

    def test_a_shared_guests_emulator_needs_no_cpu(self):
        self.fits(node(free_cpus=set()), shared(1), emulator_isolated=True)

    def test_thread_siblings(self):
        guest = dedicated(2, threads=cells.ThreadPolicy.REQUIRE)
        self.assertEqual(
            [
                'needs 2 dedicated CPUs beside thread siblings (thread '
                'policy require), 0 free'
            ],
            self.lacks(node(free_cpus={1, 2}), guest),
        )
        self.assertEqual(
            {0: 2, 1: 3},
            self.fits(node(free_cpus={1, 2, 3}), guest).pinning.vcpus,
        )

    def test_no_isolated_cores_beside_a_shared_cpu_set(self):
        guest = dedicated(2, threads=cells.ThreadPolicy.ISOLATE)
        self.assertEqual(
            [
                'needs cores with 1 thread (thread policy isolate), it has '
                'some with 2'
            ],
            self.lacks(node(), guest),
        )

    def test_isolated_cores(self):
        host = node(one_cpu_set=True, free_cpus={0, 1, 2})
        guest = dedicated(2, threads=cells.ThreadPolicy.ISOLATE)
        self.assertEqual(
            ['needs 2 whole cores (thread policy isolate), 1 free'],
            self.lacks(host, guest),
        )
        host = dataclasses.replace(host, free_cpus={0, 1, 2, 3})
        self.assertEqual({0: 0, 1: 2}, self.fits(host, guest).pinning.vcpus)

    def test_the_emulators_isolated_core_is_whole_too(self):
        # Nova would take CPU 2 and then fail to book its core.
        host = node(
            one_cpu_set=True,
            siblings=[{0, 1}, {2, 3}, {4, 5}],
            free_cpus={0, 1, 2, 4, 5},
        )
        guest = dedicated(1, threads=cells.ThreadPolicy.ISOLATE)
        pinning = self.fits(host, guest, emulator_isolated=True).pinning
        self.assertEqual(({0: 0}, {4}), pinning)
        host = dataclasses.replace(host, free_cpus={0, 1, 2})
        self.assertEqual(
            ['needs 2 whole cores (thread policy isolate), 1 free'],
            self.lacks(host, guest, emulator_isolated=True),
        )

    def test_vcpus_sit_beside_one_another(self):
        host = node(free_cpus={1, 2, 3})
        self.assertEqual(
            {0: 2, 1: 3}, self.fits(host, dedicated(2)).pinning.vcpus
        )
        self.assertEqual(
            {0: 1, 1: 2, 2: 3}, self.fits(host, dedicated(3)).pinning.vcpus
        )

    def test_a_mixed_cell_without_dedicated_vcpus(self):
        guest = cells.GuestCell(memory=1, policy=MIXED, shared=1)
        self.assertEqual({}, self.fits(node(), guest).pinning.vcpus)
        [text] = self.lacks(node(), guest, emulator_isolated=True)
        self.assertIn('needs at least 1 dedicated vCPU', text)

    def test_shared_cpus(self):
        self.assertEqual(
            ['needs 5 shared CPUs, it has 4'], self.lacks(node(), shared(5))
        )

    def test_the_allocation_ratios(self):
        host = node(shared_used=7, memory_used=5500)
        self.assertEqual(
            [
                'needs 3 shared CPUs, 1 free within the CPU allocation ratio',
                'needs 1024 MiB of memory, 644 MiB free within the RAM '
                'allocation ratio',
            ],
            self.lacks(host, shared(3), cells.Ratios(2.0, 1.5)),
        )
        self.fits(host, shared(3))

    def test_memory_that_may_not_be_overcommitted(self):
        host = node(memory_used=3500)
        self.assertEqual(
            ['needs 1024 MiB of memory, 596 MiB free'],
            self.lacks(host, dedicated(1)),
        )
        self.fits(host, shared(1))

    def test_no_guest_is_overcommitted_against_itself(self):
        self.assertEqual(
            ['needs 5000 MiB of memory, it has 4096 MiB'],
            self.lacks(node(), shared(1, memory=5000)),
        )
        self.assertEqual(
            ['needs 5000 MiB in pages of 4 KiB, it has 4096 MiB'],
            self.lacks(node(pools=POOLS), shared(1, memory=5000)),
        )

    def test_ordinary_memory_is_that_of_the_smallest_pages(self):
        host = node(pools=POOLS)
        self.assertEqual(
            ['needs 3072 MiB in pages of 4 KiB, 2048 MiB free'],
            self.lacks(host, dedicated(1, memory=3072)),
        )
        self.assertIsNone(self.fits(host, dedicated(1)).page_size)

    @ddt.data(
        (cells.Pages.SMALL, 2048, 4),
        (cells.Pages.LARGE, 1024, 1048576),
        (cells.Pages.LARGE, 1022, 2048),
        (cells.Pages.ANY, 2048, 4),
        (2048, 1024, 2048),
    )
    @ddt.unpack
    def test_the_largest_pages_with_room(self, asked, memory, size):
        host = node(pools=POOLS)
        guest = shared(1, memory=memory, pages=asked)
        self.assertEqual(size, self.fits(host, guest).page_size)

    def test_why_none_of_the_pages_do(self):
        host = node(pools=POOLS)
        guest = shared(1, memory=1500, pages=cells.Pages.LARGE)
        self.assertEqual(
            [
                'needs 1500 MiB in pages of 1048576 KiB, 1024 MiB free',
                'needs 1500 MiB, which pages of 1048576 KiB cannot make up: '
                'they come to 1024 MiB',
                'needs 1500 MiB in pages of 2048 KiB, 1024 MiB free',
            ],
            self.lacks(host, guest),
        )

    @ddt.data((16384, '16384 KiB'), (cells.Pages.LARGE, 'large'))
    @ddt.unpack
    def test_pages_that_are_not_there(self, asked, kind):
        host = node(pools=POOLS[-1:])
        self.assertEqual(
            [f'needs 1024 MiB in {kind} pages, it has no such pages'],
            self.lacks(host, shared(1, pages=asked)),
        )

    def test_every_reason_is_told(self):
        guest = dedicated(6, memory=5000, policy=MIXED, shared=5)
        self.assertEqual(3, len(self.lacks(node(), guest)))


class SeveralCellsTestCase(testtools.TestCase):
    def nodes(self, *args, **kwargs):
        return placed(*args, **kwargs).node_map.nodes

    def refusal(self, *args, **kwargs):
        return placed(*args, **kwargs).of('compute2')

    def test_the_named_order(self):
        hosts = [node(n) for n in range(4)]
        guests = [dedicated(1), dedicated(2)]
        self.assertEqual((3, 2), self.nodes(hosts, guests, (3, 2)))

    def test_the_only_map_is_found(self):
        hosts = [node(0), node(1, free_cpus={10}), node(2, memory=512)]
        guests = [dedicated(1), dedicated(4)]
        self.assertEqual((1, 0), self.nodes(hosts, guests))

    def test_the_first_nodes_that_do(self):
        hosts = [node(n) for n in range(16)]
        self.assertEqual(
            tuple(range(8)), self.nodes(hosts, [dedicated(2)] * 8)
        )

    def test_the_emulator_is_on_the_node_of_cell_0(self):
        hosts = [node(0, free_cpus={0, 1}), node(1, free_cpus={10, 11, 12})]
        result = placed(hosts, [dedicated(2)] * 2, emulator_isolated=True)
        self.assertEqual((1, 0), result.node_map.nodes)
        self.assertEqual(
            [{12}, set()], [cell.pinning.emulator for cell in result.cells]
        )

    def test_more_cells_than_nodes(self):
        self.assertEqual(
            'compute2 guest cells 0-2: need 3 nodes, they fit on 2 (0-1)',
            self.refusal([node(0), node(1)], [shared(1)] * 3),
        )

    def test_cells_that_fit_on_no_node_are_told_together(self):
        self.assertEqual(
            'compute2 guest cells 0,2: need 2 nodes, no node fits; '
            'node 0: needs 5 dedicated CPUs, 4 free (cells 0,2); '
            'node 1: needs 5 dedicated CPUs, 4 free (cells 0,2); '
            'node 2: needs 5 dedicated CPUs, 4 free (cells 0,2)',
            self.refusal(
                [node(0), node(1), node(2)],
                [dedicated(5), dedicated(1), dedicated(5)],
            ),
        )

    def test_cells_that_want_the_same_node(self):
        hosts = [node(0, free_cpus={0}), node(1, free_cpus={10}), node(2)]
        self.assertEqual(
            'compute2 guest cells 0,2: need 2 nodes, they fit on 1 (2); '
            'node 0: needs 3 dedicated CPUs, 1 free (cells 0); '
            'node 0: needs 4 dedicated CPUs, 1 free (cells 2); '
            'node 1: needs 3 dedicated CPUs, 1 free (cells 0); '
            'node 1: needs 4 dedicated CPUs, 1 free (cells 2)',
            self.refusal(hosts, [dedicated(3), dedicated(1), dedicated(4)]),
        )

    def test_networks_on_two_nodes(self):
        hosts = [
            node(0),
            node(1, physnets={'blue'}),
            node(2, tunneled=True),
            node(3, physnets={'red'}),
        ]
        asked = {'physnets': {'blue', 'green'}, 'tunneled': True}
        guests = [shared(1)] * 2
        self.assertEqual((1, 2), self.nodes(hosts, guests, **asked))
        self.assertEqual(
            'compute2 physical network blue: needs a guest cell on node 1, '
            'where there is none',
            self.refusal(hosts, guests, (0, 2), **asked),
        )
        asked['physnets'] = {'blue', 'red'}
        self.assertEqual(
            'compute2 nodes: no map that fits meets physical network blue '
            '(node 1) and physical network red (node 3) and tunnelled '
            'network (node 2)',
            self.refusal(hosts, guests, **asked),
        )

    def test_a_full_node_with_the_network(self):
        hosts = [node(0), node(1, physnets={'blue'}, free_cpus=set())]
        self.assertEqual(
            'compute2 nodes: no map that fits meets physical network blue '
            '(node 1); node 1: needs 1 dedicated CPUs, 0 free (cells 0)',
            self.refusal(hosts, [dedicated(1)], physnets={'blue'}),
        )
