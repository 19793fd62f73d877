# SPDX-License-Identifier: Apache-2.0
"""From Nova's objects to a decision and back; Nova's own objects."""

import itertools
import logging

import ddt
import hypothesis
from hypothesis import strategies
from nova import objects
from nova import test
from nova.virt import hardware
import testtools

from benchmarks import cases
from benchmarks import fuzz_placement
from benchmarks import oracle
from nova_numa_migrate import binding
from nova_numa_migrate import fit
from nova_numa_migrate import hint
from nova_numa_migrate.placement import cells
from nova_numa_migrate.placement import core
from nova_numa_migrate.placement import reasons
from tests.unit import topologies

PAIRS = list(itertools.permutations(range(4), 2))


def limits(**fields):
    return objects.NUMATopologyLimits(
        cpu_allocation_ratio=1.0, ram_allocation_ratio=1.0, **fields
    )


def decided(host, guest, *nodes, **fields):
    return fit.decide(host, guest, hint.NodeMap(nodes), limits(**fields))


@ddt.ddt
class FitTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.host = topologies.host()

    def claimed(self, guest, *nodes):
        return fit.claimed(guest, decided(self.host, guest, *nodes))

    def assert_refused(self, why, host, guest, *nodes, **fields):
        refused = decided(host, guest, *nodes, **fields)
        self.assertIsInstance(refused, reasons.Refused)
        self.assertEqual(why, refused.of('compute2'))

    @ddt.data(*PAIRS)
    def test_two_cells_in_every_order(self, pair):
        for dedicated in (True, False):
            guest = topologies.guest(2, dedicated, cpus=1)
            result = self.claimed(guest, *pair)
            self.assertEqual(list(pair), [cell.id for cell in result.cells])

    def test_what_a_guest_asks(self):
        flavor = objects.Flavor(vcpus=3, memory_mb=1000)
        own = topologies.guest(2)
        self.assertIs(own, fit.requested(own, flavor, None))
        for node_map, shares in (
            (None, [(0, {0, 1, 2}, 1000)]),
            (hint.NodeMap((1,)), [(1, {0, 1, 2}, 1000)]),
            (hint.NodeMap((3, 1)), [(3, {0, 1}, 500), (1, {2}, 500)]),
        ):
            asked = fit.requested(None, flavor, node_map)
            self.assertEqual(
                shares, [(c.id, c.cpuset, c.memory) for c in asked.cells]
            )

    def test_where_a_guest_is(self):
        own = topologies.guest(2)
        instance = objects.Instance(
            host='compute1',
            numa_topology=own,
            flavor=objects.Flavor(vcpus=1, memory_mb=1000),
            system_metadata={},
        )
        self.assertEqual(own.cells, fit.cells_of(instance))
        instance.numa_topology = None
        self.assertEqual((), fit.cells_of(instance))
        binding.place(
            instance.system_metadata, binding.Binding('compute1', (3, 1))
        )
        self.assertEqual([3, 1], [cell.id for cell in fit.cells_of(instance)])
        instance.host = 'compute2'
        self.assertEqual((), fit.cells_of(instance))

    @ddt.data(*PAIRS)
    def test_each_cell_is_pinned_within_its_node(self, pair):
        result = self.claimed(topologies.guest(2), *pair)
        for node, cell in zip(pair, result.cells, strict=True):
            self.assertEqual(
                {3 * node, 3 * node + 1}, set(cell.cpu_pinning.values())
            )

    def test_the_claim_is_as_novas_own_fit_makes_it(self):
        guest = topologies.guest(2, cpus=1)
        guest.emulator_threads_policy = 'isolate'
        novas = hardware.numa_fit_instance_to_host(
            objects.NUMATopology(cells=self.host.obj_clone().cells[:2]),
            guest.obj_clone(),
            provider_mapping=None,
            limits=limits(),
        )
        ours = self.claimed(guest, 0, 1)
        for mine, theirs in zip(ours.cells, novas.cells, strict=True):
            self.assertEqual(
                theirs.obj_to_primitive()['nova_object.data'],
                mine.obj_to_primitive()['nova_object.data'],
            )

    def test_pins_from_an_earlier_place_are_gone(self):
        guest = topologies.guest()
        guest.cells[0].cpu_pinning = {0: 77, 9: 78}
        [cell] = self.claimed(guest, 2).cells
        self.assertEqual({0: 6, 1: 7}, cell.cpu_pinning)

    def test_neither_host_nor_guest_is_changed(self):
        guest = topologies.guest(2)
        before = self.host.obj_to_primitive(), guest.obj_to_primitive()
        self.claimed(guest, 3, 2)
        self.assertEqual(
            before, (self.host.obj_to_primitive(), guest.obj_to_primitive())
        )

    def test_a_node_that_is_not_there(self):
        self.assert_refused(
            'compute2 node 7: is not there (it has 0-3)',
            self.host,
            topologies.guest(2),
            1,
            7,
        )

    def test_too_little_memory_on_the_named_node_alone(self):
        host = topologies.host(
            topologies.host_cell(0), topologies.host_cell(1, used=3500)
        )
        self.assert_refused(
            'compute2 node 1: needs 1024 MiB in pages of 4 KiB, 596 MiB free',
            host,
            topologies.guest(),
            1,
        )

    def test_reserved_pages_are_not_free(self):
        cell = topologies.host_cell(0)
        cell.mempages[0].reserved = 3200 * 256
        self.assert_refused(
            'compute2 node 0: needs 1024 MiB in pages of 4 KiB, 896 MiB free',
            topologies.host(cell),
            topologies.guest(),
            0,
        )

    def test_cpus_that_others_have(self):
        host = topologies.host(
            topologies.host_cell(0), topologies.host_cell(1, pinned={3})
        )
        self.assert_refused(
            'compute2 node 1: needs 2 dedicated CPUs, 1 free',
            host,
            topologies.guest(),
            1,
        )

    @ddt.data((1, (0, 1)), (2, (0,)), (2, (0, 1, 2)))
    @ddt.unpack
    def test_another_number_of_cells(self, count, nodes):
        self.assert_refused(
            f'compute2 map: names {len(nodes)} nodes for {count} guest cells',
            self.host,
            topologies.guest(count),
            *nodes,
        )

    def test_a_network_with_its_interface_on_another_node(self):
        self.host.cells[3].network_metadata = objects.NetworkMetadata(
            physnets={'blue'}, tunneled=True
        )
        asked = objects.NetworkMetadata(physnets={'blue'}, tunneled=False)
        self.assert_refused(
            'compute2 physical network blue: needs a guest cell on node 3, '
            'where there is none',
            self.host,
            topologies.guest(),
            1,
            network_metadata=asked,
        )
        self.assertEqual(
            (3,),
            decided(
                self.host, topologies.guest(), 3, network_metadata=asked
            ).node_map.nodes,
        )

    def test_a_guest_that_nova_puts_on_a_node_that_is_too_small(self):
        # Two equal cells and one that is larger than any node: Nova's cache
        # has the large one fit where the first ones did.
        host = topologies.host(
            *(topologies.host_cell(node, memory=65536) for node in range(3))
        )
        guest = topologies.guest(3, cpus=1)
        guest.cells[2].memory = 70000
        novas = hardware.numa_fit_instance_to_host(
            host, guest.obj_clone(), provider_mapping=None, limits=limits()
        )
        self.assertIsNotNone(novas, 'Nova is right now: say so in the docs')
        refused = fit.decide(host, guest, None, limits())
        self.assertIn(
            'guest cells 2: need 1 nodes, no node fits', refused.of('compute2')
        )


class ConversionTestCase(test.NoDBTestCase):
    def test_page_sizes(self):
        guest = topologies.guest(5)
        asked = (None, -1, -2, -3, 2048)
        for cell, pages in zip(guest.cells, asked, strict=True):
            cell.pagesize = pages
        self.assertEqual(
            [
                None,
                cells.Pages.SMALL,
                cells.Pages.LARGE,
                cells.Pages.ANY,
                2048,
            ],
            [cell.pages for cell in fit.guest_of(guest).cells],
        )

    def test_without_limits_nothing_is_overcommitted_too_far(self):
        host = topologies.host(topologies.host_cell(0, used=4000))
        guest = topologies.guest(dedicated=False, cpus=1)
        node = hint.NodeMap((0,))
        self.assertIsInstance(
            fit.decide(host, guest, node, limits()), reasons.Refused
        )
        self.assertIsInstance(fit.decide(host, guest, node), core.Fits)

    def test_no_devices_where_nova_asks_for_none(self):
        empty = objects.InstancePCIRequests(requests=[])
        for requests, stats in ((None, 'any'), (empty, 'any')):
            self.assertIsNone(fit.PciDevices.of(requests, stats, None))


class EveryAnswerTestCase(testtools.TestCase):
    """Against trying every map; benchmarks.fuzz_placement does more."""

    @hypothesis.given(
        strategies.randoms(use_true_random=True),
        strategies.integers(1, 4),
        strategies.booleans(),
        strategies.booleans(),
    )
    def test_is_right_and_its_reasons_true(
        self, rng, count, symmetric, has_map
    ):
        logging.disable(logging.WARNING)
        self.addCleanup(logging.disable, logging.NOTSET)
        truth = oracle.Oracle(cases.case(rng, count, symmetric))
        maps = list(truth.maps())
        node_map = hint.NodeMap(rng.choice(maps)) if has_map else None
        _, wrong = fuzz_placement.faults(truth, node_map)
        self.assertEqual([], wrong)
