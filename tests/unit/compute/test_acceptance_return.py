# SPDX-License-Identifier: Apache-2.0
"""Whether the source can have its guest back."""

import pathlib
from unittest import mock

import fixtures
from nova import objects
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import binding
from nova_numa_migrate.checkpoint import demand
from nova_numa_migrate.checkpoint import store
from nova_numa_migrate.compute import endpoint
from tests.unit import topologies
from tests.unit.compute import moves

DEMAND = demand.Demand('x86_64', 'pc', 8002001, 0)
CAPABILITIES = """
<capabilities>
  <host><topology><cells><cell id="0"/><cell id="1"/></cells></topology></host>
  <guest><arch name="x86_64"><machine>pc</machine></arch></guest>
</capabilities>
"""


class AtTheReturnTestCase(moves.MovesTestCase):
    def setUp(self):
        super().setUp()
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.manager = mock.Mock(spec=['driver', 'host', 'rt'], host='src')
        self.manager.driver = mock.Mock(
            spec=['_host', 'checkpoints'],
            checkpoints=store.CheckpointStore(root),
        )
        host = self.manager.driver._host
        host.get_connection().getCapabilities.return_value = CAPABILITIES
        host.get_version.return_value = 8002001
        self.short = self.manager.rt.short_of_memory
        self.short.return_value = []
        self.instance = moves.an_instance(
            moves.a_move(),
            flavor=objects.Flavor(vcpus=2, memory_mb=512),
            migration_context=objects.MigrationContext(old_numa_topology=None),
            # It is booked at the destination, and has its CPU from here.
            host='dst',
            vcpu_model=None,
        )

    def refusals(self, **fields):
        asked = {**DEMAND.to_primitive(), **fields}
        return endpoint.NumaEndpoint(self.manager).check_return(
            self.context, self.instance, asked
        )

    def nodes(self):
        """Those whose memory was asked of."""
        (uuid, cells), _ = self.short.call_args
        self.assertEqual(uuids.instance, uuid)
        return [cell.id for cell in cells]

    def bound(self, host):
        metadata = self.instance.system_metadata
        binding.place(metadata, binding.Binding(host, (1, 0)))
        new = binding.Binding('dst', (3,))
        binding.replace(metadata, new, uuids.migration)

    def test_its_old_cells(self):
        topology = topologies.guest(2)
        for cell, node in zip(topology.cells, (1, 0), strict=True):
            cell.id = node
        self.instance.migration_context.old_numa_topology = topology
        self.assertEqual([], self.refusals())
        self.assertEqual([1, 0], self.nodes())

    def test_what_a_bare_guest_was_bound_to(self):
        self.bound('src')
        self.assertEqual([], self.refusals())
        self.assertEqual([1, 0], self.nodes())

    def test_it_was_bound_on_another_host(self):
        self.bound('elsewhere')
        self.assertEqual([], self.refusals())
        self.assertEqual([], self.nodes())

    def test_it_was_bound_to_nothing(self):
        self.assertEqual([], self.refusals())
        self.assertEqual([], self.nodes())

    def test_every_reason_is_told(self):
        self.bound('src')
        self.short.return_value = ['node 1 is short']
        (told,) = self.refusals(machine='q35', hypervisor=9000000, kib=2**60)
        self.assertTrue(told.startswith('Host src cannot take the guest: '))
        for reason in ('q35', 'older than', 'MiB free', 'node 1 is short'):
            self.assertIn(reason, told)

    def test_a_node_is_gone(self):
        self.bound('src')
        gone = CAPABILITIES.replace('<cell id="1"/>', '')
        host = self.manager.driver._host
        host.get_connection().getCapabilities.return_value = gone
        (told,) = self.refusals()
        self.assertIn('no NUMA node 1', told)
