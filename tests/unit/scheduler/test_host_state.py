# SPDX-License-Identifier: Apache-2.0
"""A hinted guest is booked where it goes; any other as Nova books it."""

from unittest import mock

import ddt
from nova import context
from nova import objects
from nova import test
from nova.scheduler import host_manager

from nova_numa_migrate import hint
from nova_numa_migrate import plan
from nova_numa_migrate import scheduler
from nova_numa_migrate.scheduler import host_state
from tests.unit import topologies


@ddt.ddt
class HostStateTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.context = context.RequestContext('user', 'project')
        self.host = host_state.NumaHostState('compute2', 'compute2', None)
        self.host.numa_topology = topologies.host()
        self.host.free_ram_mb = self.host.free_disk_mb = 10000
        self.host.vcpus_used = self.host.num_instances = 0
        self.host.num_io_ops = 0
        self.host.pci_stats = None

    def request(self, guest, nodes=None):
        hints = {}
        if nodes:
            hints = plan.Plan(
                self.context.request_id,
                hint.NodeMap(nodes),
                hint.CheckpointMode.REQUIRED,
            ).added_to({})
        return objects.RequestSpec(
            self.context,
            numa_topology=guest,
            pci_requests=None,
            requested_resources=[],
            scheduler_hints=hints,
            flavor=objects.Flavor(
                memory_mb=1000, vcpus=2, root_gb=1, ephemeral_gb=0
            ),
        )

    def used(self):
        """MiB used of each node."""
        return [cell.memory_usage for cell in self.host.numa_topology.cells]

    @ddt.data((3, 2), (2, 3), (1, 3))
    def test_on_the_named_nodes(self, nodes):
        guest = topologies.guest(2, cpus=1)
        guest.cells[1].memory = 2048
        spec = self.request(guest, nodes)
        self.host.consume_from_request(spec)
        expected = [0] * 4
        expected[nodes[0]], expected[nodes[1]] = 1024, 2048
        self.assertEqual(expected, self.used())
        placed = [cell.id for cell in spec.numa_topology.cells]
        self.assertEqual(list(nodes), placed)
        self.assertEqual(9000, self.host.free_ram_mb)

    def test_without_a_plan_as_nova_books_it(self):
        self.host.consume_from_request(self.request(topologies.guest()))
        self.assertEqual([1024, 0, 0, 0], self.used())

    def test_a_guest_without_topology(self):
        self.host.consume_from_request(self.request(None, (3,)))
        self.assertEqual([0] * 4, self.used())
        self.assertEqual(9000, self.host.free_ram_mb)

    def test_another_request_was_faster(self):
        for _ in range(2):
            spec = self.request(topologies.guest(), (3,))
            self.host.consume_from_request(spec)
        self.assertEqual([0, 0, 0, 1024], self.used())

    def test_nova_makes_hosts_of_this_class(self):
        with mock.patch.object(host_manager, 'HostState', new=None):
            scheduler.all_filters()
            made = host_manager.HostManager.host_state_cls(
                None, 'compute2', 'compute2', None
            )
        self.assertIsInstance(made, host_state.NumaHostState)
