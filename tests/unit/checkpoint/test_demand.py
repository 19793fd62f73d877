# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint asks of a host, and what a host answers."""

import pathlib
import shutil
from unittest import mock

import ddt
from oslotest import base

from nova_numa_migrate.checkpoint import demand
from nova_numa_migrate.checkpoint.demand import Demand
from tests.unit.guest_xml import golden

GUEST = """
<domain>
  <memory unit='KiB'>1048576</memory>
  {backing}
  <os><type arch='x86_64' machine='pc-q35-9.0'>hvm</type></os>
</domain>
"""
HOST = """
<capabilities>
  <host><topology><cells num='2'><cell id='0'/><cell id='3'/></cells>
  </topology></host>
  <guest><arch name='i686'><machine>pc-q35-10.0</machine></arch></guest>
  <guest>
    <arch name='x86_64'>
      <machine>pc-q35-9.0</machine>
      <domain type='kvm'><machine>pc-q35-8.0</machine></domain>
    </arch>
  </guest>
</capabilities>
"""


class DemandTestCase(base.BaseTestCase):
    def of(self, resident, backing=''):
        return Demand.of(GUEST.format(backing=backing), resident, 8002001)

    def test_it_is_read_from_the_guest(self):
        self.assertEqual(
            Demand('x86_64', 'pc-q35-9.0', 8002001, 2048), self.of(2048)
        )

    def test_a_checkpoint_holds_what_the_guest_uses_at_most(self):
        self.assertEqual(2048, self.of(2048).kib)
        self.assertEqual(1048576, self.of(None).kib)

    def test_the_kernel_counts_no_huge_pages_as_resident(self):
        backing = '<memoryBacking><hugepages/></memoryBacking>'
        self.assertEqual(1048576, self.of(2048, backing).kib)

    def test_a_real_guest(self):
        found = Demand.of(golden.guest('two-cells').saved, None, 1)
        self.assertTrue(found.machine.startswith('pc'), found)
        self.assertEqual('x86_64', found.arch)
        self.assertGreater(found.kib, 64 * 1024)

    def test_over_the_wire(self):
        found = self.of(2048)
        self.assertEqual(found, Demand(**found.to_primitive()))

    def test_a_guest_of_no_kind_is_an_error(self):
        self.assertRaises(ValueError, Demand.of, '<domain/>', None, 1)


@ddt.ddt
class RefusalsTestCase(base.BaseTestCase):
    def refusals(self, nodes=(3, 0), hypervisor=8002001, **changes):
        asked = {
            'arch': 'x86_64',
            'machine': 'pc-q35-9.0',
            'hypervisor': 8002001,
            'kib': 1,
        }
        return demand.refusals(
            Demand(**{**asked, **changes}), nodes, HOST, hypervisor
        )

    @ddt.data(
        {},
        {'machine': 'pc-q35-8.0'},
        {'hypervisor': 10000002},
    )
    def test_a_host_that_can(self, changes):
        self.assertEqual([], self.refusals(**changes))

    def test_a_node_that_is_not_there_now(self):
        self.assertEqual(
            ['libvirt knows no NUMA node 2 there'], self.refusals((3, 2))
        )

    @ddt.data(('x86_64', 'pc-q35-10.0'), ('i686', 'pc-q35-9.0'))
    @ddt.unpack
    def test_a_machine_type_that_is_not_there(self, arch, machine):
        self.assertEqual(
            [f'its QEMU has no machine type {machine} ({arch})'],
            self.refusals(arch=arch, machine=machine),
        )

    def test_a_qemu_that_is_older(self):
        self.assertEqual(
            ['its QEMU is 8.2.0, older than the 8.2.1 that the guest runs on'],
            self.refusals(hypervisor=8002000),
        )

    def test_every_reason_at_once(self):
        found = self.refusals((1, 2), 1, machine='none')
        self.assertEqual(4, len(found))
        text = demand.told('compute2', found)
        self.assertIn('Host compute2 cannot take the guest: libvirt', text)
        self.assertEqual(3, text.count('; '))


class DiskTestCase(base.BaseTestCase):
    def shortage(self, kib):
        usage = mock.Mock(free=2048 * 1024)
        with mock.patch.object(
            shutil, 'disk_usage', autospec=True, return_value=usage
        ):
            return demand.disk_shortage(pathlib.Path('/c'), kib)

    def test_there_is_room(self):
        self.assertEqual('', self.shortage(2048))

    def test_there_is_none(self):
        self.assertEqual(
            '/c has 2 MiB free, the checkpoint may take 3 MiB',
            self.shortage(3072),
        )
