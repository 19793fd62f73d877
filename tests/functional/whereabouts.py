# SPDX-License-Identifier: Apache-2.0
"""Where a guest is, by the word of each that keeps an account of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lxml import etree
from nova import context as nova_context
from nova import objects
from nova.virt import hardware

NODES = range(4)
DEDICATED = {node: {3 * node, 3 * node + 1} for node in NODES}
SHARED = {node: {3 * node + 2} for node in NODES}

# Whatever test case of Nova's it is mixed into.
_AnyTestCase: Any = object


class WhereaboutsMixin(_AnyTestCase):
    """For test cases that find a server's instance, guest and host."""

    def assert_on_nodes(
        self, server: dict[str, Any], nodes: Sequence[int]
    ) -> None:
        """Nova, libvirt and Placement agree that it is on these nodes.

        ``nodes[i]`` is the host node of guest cell ``i``.
        """
        self.assert_guest_on_nodes(server, nodes)
        instance, host = self.instance(server), self.host_of(server)
        # After a failure Nova gives it back when the server's task is over.
        self._wait_for_assert(lambda: self._assert_allocated(instance, host))

    def assert_guest_on_nodes(
        self, server: dict[str, Any], nodes: Sequence[int]
    ) -> None:
        """The same without Placement."""
        instance = self.instance(server)
        cells = instance.numa_topology.cells
        self.assertEqual(list(nodes), [cell.id for cell in cells])
        domain = etree.fromstring(self.guest(server).XMLDesc(0))
        self.assertEqual(
            {str(cell): str(node) for cell, node in enumerate(nodes)},
            {
                memnode.get('cellid'): memnode.get('nodeset')
                for memnode in domain.iterfind('numatune/memnode')
            },
        )
        pins = {
            int(pin.get('vcpu', '')): hardware.parse_cpu_spec(
                pin.get('cpuset')
            )
            for pin in domain.iterfind('cputune/vcpupin')
        }
        self.assertEqual(instance.flavor.vcpus, len(pins))
        for cell, node in zip(cells, nodes, strict=True):
            self._assert_pinned(cell, node, pins)

    def _assert_pinned(
        self, cell: Any, node: int, pins: dict[int, set[int]]
    ) -> None:
        for vcpu in cell.cpuset:
            self.assertEqual(SHARED[node], pins[vcpu])
        for vcpu in cell.pcpuset:
            self.assertEqual({cell.cpu_pinning[vcpu]}, pins[vcpu])
        self.assertLessEqual(
            {cell.cpu_pinning[vcpu] for vcpu in cell.pcpuset}, DEDICATED[node]
        )

    def _assert_allocated(self, instance: Any, host: str) -> None:
        specs = instance.flavor.extra_specs
        dedicated = specs.get('hw:cpu_policy') == 'dedicated'
        allocations = self._get_allocations_by_server_uuid(instance.uuid)
        self.assertEqual([self.compute_rp_uuids[host]], list(allocations))
        expected = {
            'PCPU' if dedicated else 'VCPU': instance.flavor.vcpus,
            'MEMORY_MB': instance.flavor.memory_mb,
        }
        if instance.flavor.root_gb:
            expected['DISK_GB'] = instance.flavor.root_gb
        found = allocations[self.compute_rp_uuids[host]]['resources']
        self.assertEqual(expected, found)

    def used_nodes(self, host: str) -> set[int]:
        """The nodes of the host that have pinned CPUs, by its own account."""
        node = objects.ComputeNode.get_by_nodename(
            nova_context.get_admin_context(), host
        )
        topology = objects.NUMATopology.obj_from_db_obj(node.numa_topology)
        return {cell.id for cell in topology.cells if cell.pinned_cpus}

    def assert_audited(self, used: dict[str, set[int]]) -> None:
        """Each host's own account of its nodes, and its audit of it."""
        for audited in (False, True):
            if audited:
                self._run_periodics()
            self.assertEqual(
                used, {host: self.used_nodes(host) for host in used}
            )
        self.assertNotIn(
            'Error updating resources for node', self.stdlog.logger.output
        )
