# SPDX-License-Identifier: Apache-2.0
"""How the placement of a bare guest is shown."""

from nova import objects
from nova import test
from nova.compute import task_states
from nova.compute import vm_states
from nova.virt import hardware
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import binding
from nova_numa_migrate import hint
from nova_numa_migrate import move
from nova_numa_migrate.api import measurement
from nova_numa_migrate.api.views import numa_placement
from nova_numa_migrate.placement import report
from tests.unit import topologies


class ViewTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.instance = objects.Instance(
            uuid=uuids.instance,
            host='compute1',
            vm_state=vm_states.ACTIVE,
            task_state=task_states.RESIZE_FINISH,
            numa_topology=None,
            flavor=objects.Flavor(vcpus=3, memory_mb=96),
            system_metadata={},
        )
        binding.place(
            self.instance.system_metadata, binding.Binding('compute1', (3, 1))
        )

    def shown(self, name, *found):
        measured = measurement.Measurement('now', found)
        shown = numa_placement.placement(self.instance, measured)
        return [cell[name] for cell in shown['cells']]

    def test_a_line_for_each_share_of_its_only_cell(self):
        self.assertEqual([0, 0], self.shown('cell'))
        self.assertEqual([[0, 1], [2]], self.shown('vcpus'))
        self.assertEqual([48, 48], self.shown('memory_mb'))
        self.assertEqual([3, 1], self.shown('claimed_node'))
        pages = {1: 1, 3: 3}
        found = [
            report.CellPlacement(n, node, pages)
            for n, node in enumerate((3, 1))
        ]
        self.assertEqual([0.75, 0.25], self.shown('share', *found))

    def test_the_size_of_its_pages_is_known_where_a_host_has_decided(self):
        sizes = (
            None,
            hardware.MEMPAGES_SMALL,
            hardware.MEMPAGES_LARGE,
            hardware.MEMPAGES_ANY,
            2048,
        )
        topology = topologies.guest(len(sizes))
        for cell, size in zip(topology.cells, sizes, strict=True):
            cell.pagesize = size
        self.instance.numa_topology = topology
        self.assertEqual([None] * 4 + [2048], self.shown('page_size_kb'))

    def test_it_is_on_its_way_to_fewer_nodes_or_more(self):
        for asked, shown in ((0,), [0, None]), ((2, 0, 3), [2, 0]):
            move.Move(
                uuids.migration,
                hint.NodeMap(asked),
                hint.CheckpointMode.REQUIRED,
            ).store(self.instance.system_metadata)
            self.assertEqual(shown, self.shown('asked_node'))

    def test_what_is_left_of_a_move_that_is_over_is_not_shown(self):
        move.Move(
            uuids.migration, hint.NodeMap((0,)), hint.CheckpointMode.PREFERRED
        ).store(self.instance.system_metadata)
        self.instance.task_state = None
        for state, shown in (
            (vm_states.RESIZED, [0, None]),
            (vm_states.ERROR, [0, None]),
            (vm_states.ACTIVE, [None, None]),
            (vm_states.STOPPED, [None, None]),
        ):
            self.instance.vm_state = state
            self.assertEqual(shown, self.shown('asked_node'))

    def test_on_another_host_it_is_bound_to_nothing(self):
        for host in ('compute2', None):
            self.instance.host = host
            self.assertEqual([], self.shown('claimed_node'))
