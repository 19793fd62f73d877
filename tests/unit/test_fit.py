# SPDX-License-Identifier: Apache-2.0
"""Exactly the named cells, in their order, or none; Nova's own objects."""

import itertools
from unittest import mock

import ddt
from nova import objects
from nova import test
from nova.virt import hardware

from nova_numa_migrate import fit
from nova_numa_migrate import hint
from tests.unit import topologies

PAIRS = list(itertools.permutations(range(4), 2))


def fitted(host, guest, *nodes):
    return fit.fit_to_nodes(
        host,
        guest,
        hint.NodeMap(nodes),
        limits=objects.NUMATopologyLimits(
            cpu_allocation_ratio=1.0, ram_allocation_ratio=1.0
        ),
        provider_mapping=None,
    )


@ddt.ddt
class FitTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.host = topologies.host()

    @ddt.data(0, 1, 2, 3)
    def test_one_cell(self, node):
        result = fitted(self.host, topologies.guest(), node)
        self.assertEqual([node], [cell.id for cell in result.cells])
        self.assertEqual(
            {3 * node, 3 * node + 1},
            set(result.cells[0].cpu_pinning.values()),
        )

    @ddt.data(*PAIRS)
    def test_two_cells_in_every_order(self, pair):
        for dedicated in (True, False):
            result = fitted(
                self.host, topologies.guest(2, dedicated, cpus=1), *pair
            )
            self.assertEqual(list(pair), [cell.id for cell in result.cells])

    @ddt.data(*PAIRS)
    def test_each_cell_is_pinned_within_its_node(self, pair):
        result = fitted(self.host, topologies.guest(2), *pair)
        for node, cell in zip(pair, result.cells, strict=True):
            self.assertEqual(
                {3 * node, 3 * node + 1}, set(cell.cpu_pinning.values())
            )

    def test_neither_host_nor_guest_is_changed(self):
        guest = topologies.guest(2)
        before = self.host.obj_to_primitive(), guest.obj_to_primitive()
        fitted(self.host, guest, 3, 2)
        self.assertEqual(
            before, (self.host.obj_to_primitive(), guest.obj_to_primitive())
        )

    def test_a_node_that_is_not_there(self):
        self.assertIsNone(fitted(self.host, topologies.guest(), 4))
        self.assertIsNone(fitted(self.host, topologies.guest(2), 1, 7))

    def test_too_little_memory_on_the_named_node_alone(self):
        host = topologies.host(
            topologies.host_cell(0), topologies.host_cell(1, used=3500)
        )
        self.assertIsNone(fitted(host, topologies.guest(), 1))
        self.assertIsNotNone(fitted(host, topologies.guest(), 0))

    def test_cpus_that_others_have(self):
        host = topologies.host(
            topologies.host_cell(0), topologies.host_cell(1, pinned={3})
        )
        self.assertIsNone(fitted(host, topologies.guest(), 1))
        self.assertIsNotNone(fitted(host, topologies.guest(cpus=1), 1))

    def test_two_cells_fit_one_way_round_only(self):
        host = topologies.host(
            topologies.host_cell(0, memory=2048), topologies.host_cell(1)
        )
        guest = topologies.guest(2, cpus=1)
        guest.cells[0].memory = 3000
        self.assertIsNone(fitted(host, guest, 0, 1))
        self.assertEqual(
            [1, 0], [cell.id for cell in fitted(host, guest, 1, 0).cells]
        )

    @ddt.data((1, (0, 1)), (2, (0,)), (2, (0, 1, 2)))
    @ddt.unpack
    def test_another_number_of_cells(self, cells, nodes):
        self.assertIsNone(fitted(self.host, topologies.guest(cells), *nodes))

    def test_novas_result_in_another_order_is_no_fit(self):
        swapped = topologies.guest(2)
        swapped.cells[0].id, swapped.cells[1].id = 2, 3
        with mock.patch.object(
            hardware,
            'numa_fit_instance_to_host',
            autospec=True,
            return_value=swapped,
        ) as nova:
            result = fitted(self.host, topologies.guest(2), 3, 2)
        self.assertIsNone(result)
        self.assertEqual([3, 2], [c.id for c in nova.call_args.args[0].cells])


class ExplainTestCase(test.NoDBTestCase):
    def test_each_cell_with_its_node(self):
        host = topologies.host(
            topologies.host_cell(0),
            topologies.host_cell(1, used=3500, pinned={3}),
        )
        guest = topologies.guest(2)
        self.assertEqual(
            'cell 0 needs 1024 MiB, 2 dedicated and 0 shared CPUs; '
            'node 1 has 596 of 4096 MiB free, 1 dedicated CPUs free and '
            '1 shared CPUs; '
            'cell 1 needs 1024 MiB, 2 dedicated and 0 shared CPUs; '
            'the host has no node 7',
            fit.explain(host, guest, hint.NodeMap((1, 7))),
        )

    def test_shared_cpus(self):
        text = fit.explain(
            topologies.host(),
            topologies.guest(dedicated=False),
            hint.NodeMap((0,)),
        )
        self.assertIn('0 dedicated and 2 shared CPUs', text)
