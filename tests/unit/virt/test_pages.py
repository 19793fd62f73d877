# SPDX-License-Identifier: Apache-2.0
"""The measured placement of a running guest."""

from unittest import mock

from nova import objects
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import privsep
from nova_numa_migrate.placement import report
from nova_numa_migrate.virt import pages
from tests.unit import topologies

MIB = 1024 * 1024
MAPS = (
    f'7f0000000000-{0x7F0000000000 + 64 * MIB:x} rw-p 0 0:0 0\n'
    f'7f1000000000-{0x7F1000000000 + 128 * MIB:x} rw-p 0 0:0 0\n'
    '7f2000000000-7f2000001000 rw-p 0 0:0 0\n'
)
NUMA_MAPS = (
    '7f0000000000 bind:3 anon=9 N3=9 kernelpagesize_kB=4\n'
    '7f1000000000 bind:2 anon=8 N1=2 N2=6 kernelpagesize_kB=4\n'
    '7f2000000000 default anon=1 N0=1 kernelpagesize_kB=4\n'
)
COMMAND = (
    '-object\0{"id":"ram-node0","host-nodes":[3]}\0'
    '-object\0{"id":"ram-node1","host-nodes":[2]}\0'
)


class PagesTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        topology = topologies.guest(2)
        topology.cells[0].memory, topology.cells[1].memory = 64, 128
        self.instance = objects.Instance(
            uuid=uuids.instance,
            numa_topology=topology,
            display_name='web',
            # The libvirt name is made of it.
            id=7,
        )

    def measure(self, maps=MAPS, numa_maps=NUMA_MAPS, command=COMMAND):
        with mock.patch.object(
            privsep,
            'read_guest_process',
            autospec=True,
            return_value=(maps, numa_maps, command),
        ) as read:
            result = pages.measure(self.instance, (3, 2))
        read.assert_called_once_with('instance-00000007')
        return result

    def test_each_cell_with_its_pages(self):
        self.assertEqual(
            [
                report.CellPlacement(0, 3, {3: 9}),
                report.CellPlacement(1, 2, {1: 2, 2: 6}),
            ],
            self.measure(),
        )

    def test_two_cells_of_one_size_that_were_swapped(self):
        for cell in self.instance.numa_topology.cells:
            cell.memory = 64
        maps = MAPS.replace(
            f'{0x7F1000000000 + 128 * MIB:x}', f'{0x7F1000000000 + 64 * MIB:x}'
        )
        swapped = COMMAND.replace('[3]', '[9]').replace('[2]', '[3]')
        result = self.measure(maps, command=swapped.replace('[9]', '[2]'))
        self.assertEqual(
            [
                report.CellPlacement(0, 3, {1: 2, 2: 6}),
                report.CellPlacement(1, 2, {3: 9}),
            ],
            result,
        )

    def bare(self):
        self.instance.numa_topology = None
        self.instance.flavor = objects.Flavor(memory_mb=128)
        return self.measure(command='-object\0{"id":"pc.ram"}\0')

    def test_each_share_of_a_bare_guest_with_all_its_pages(self):
        self.assertEqual(
            [
                report.CellPlacement(0, 3, {1: 2, 2: 6}),
                report.CellPlacement(1, 2, {1: 2, 2: 6}),
            ],
            self.bare(),
        )

    def test_a_page_of_a_bare_guest_elsewhere(self):
        found = self.bare()
        with self.assertLogs(pages.LOG.logger, 'WARNING') as log:
            pages.log(self.instance, found)
        self.assertEqual(2, len(log.records))
        meant = [report.CellPlacement(n, n + 1, {1: 2, 2: 6}) for n in (0, 1)]
        with self.assertNoLogs(pages.LOG.logger, 'WARNING'):
            pages.log(self.instance, meant)

    def test_a_cell_that_is_not_found_is_told_and_left_out(self):
        maps = MAPS.replace('7f0000000000-', '7f0000001000-')
        with self.assertLogs(pages.LOG.logger, 'WARNING') as log:
            result = self.measure(maps)
        self.assertEqual([1], [cell.cell for cell in result])
        self.assertIn('The memory of guest cells [0]', log.output[0])

    def test_all_found_is_not_worth_a_warning(self):
        with self.assertNoLogs(pages.LOG.logger, 'WARNING'):
            self.measure()

    def test_a_page_elsewhere_is(self):
        with self.assertLogs(pages.LOG.logger, 'INFO') as log:
            pages.log(self.instance, self.measure())
        self.assertEqual(
            ['INFO', 'WARNING'], [record.levelname for record in log.records]
        )
        self.assertIn('cell 0 on node 3: 100.0% (N3=9)', log.output[0])
        self.assertIn('cell 1 on node 2: 75.0% (N1=2, N2=6)', log.output[1])
