# SPDX-License-Identifier: Apache-2.0
"""The claim of the named cells."""

from unittest import mock

import ddt
from nova import context
from nova import exception
from nova import objects
from nova import test
from nova.compute import claims
from nova.compute import resource_tracker
import nova.conf
from nova.pci import manager as pci_manager
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate.compute import claim
from nova_numa_migrate.conf import numa_migrate
from tests import fake_nodes
from tests.unit import topologies
from tests.unit.compute import trackers

CELLS = [objects.InstanceNUMACell(id=2, memory=1024, pagesize=None)]
EXTRA_SPECS = {'hw:cpu_policy': 'dedicated', 'hw:cpu_thread_policy': 'prefer'}


@ddt.ddt
class ClaimTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        numa_migrate.register_opts(nova.conf.CONF)
        self.kernel = self.useFixture(fake_nodes.FakeNodesFixture())
        self.context = context.RequestContext('user', 'project')
        self.tracker = trackers.a_tracker()
        self.tracker.pci_tracker = mock.create_autospec(
            pci_manager.PciDevTracker, instance=True, stats=None
        )
        self.node = objects.ComputeNode(
            numa_topology=topologies.host()._to_json()
        )
        self.instance = objects.Instance(
            uuid=uuids.instance, image_ref=uuids.image, host='compute1'
        )

    def claim(self, cells=2, cpus=2, specs=EXTRA_SPECS):
        return self.claim_of(
            objects.Flavor(
                memory_mb=1024 * cells,
                vcpus=cpus * cells,
                extra_specs={'hw:numa_nodes': str(cells), **specs},
            )
        )

    def claim_bare(self, vcpus=2, memory=1024):
        return self.claim_of(
            objects.Flavor(memory_mb=memory, vcpus=vcpus, extra_specs={})
        )

    def claim_of(self, flavor):
        self.instance.flavor = flavor
        return claim.NumaMoveClaim(
            self.context,
            self.instance,
            'compute2',
            flavor,
            objects.ImageMeta(properties=objects.ImageMetaProps()),
            self.tracker,
            self.node,
            objects.InstancePCIRequests(requests=[]),
            objects.Migration(migration_type='migration'),
        )

    def nodes(self, a_claim):
        return [cell.id for cell in a_claim.claimed_numa_topology.cells]

    @ddt.data((3, 2), (2, 3), (0, 3), (1, 0))
    def test_the_named_cells_in_their_order(self, nodes):
        with self.tracker.claiming(uuids.instance, hint.NodeMap(nodes)):
            a_claim = self.claim()
        self.assertEqual(list(nodes), self.nodes(a_claim))
        for cell in a_claim.claimed_numa_topology.cells:
            self.assertEqual(
                {3 * cell.id, 3 * cell.id + 1},
                set(cell.cpu_pinning.values()),
            )

    def test_another_instances_nodes_are_not_taken(self):
        with self.tracker.claiming(uuids.other, hint.NodeMap((3, 2))):
            self.assertEqual([0, 1], self.nodes(self.claim()))

    def test_without_nodes_it_is_novas_own(self):
        novas = claims.MoveClaim._test_numa_topology
        with mock.patch.object(
            claims.MoveClaim,
            '_test_numa_topology',
            return_value='no room',
            autospec=novas,
        ):
            error = self.assertRaises(
                exception.ComputeResourcesUnavailable, self.claim
            )
        self.assertIn('no room', str(error))

    def test_no_room_says_where_and_why(self):
        self.node.numa_topology = topologies.host(
            topologies.host_cell(0), topologies.host_cell(1, pinned={3, 4})
        )._to_json()
        with self.tracker.claiming(uuids.instance, hint.NodeMap((1,))):
            error = self.assertRaises(
                exception.ComputeResourcesUnavailable, self.claim, 1
            )
        self.assertIn(
            'does not fit NUMA nodes 1: compute2 node 1: needs 2 dedicated '
            'CPUs, 0 free',
            str(error),
        )
        self.assertNotIn('stays booked', str(error))

    def test_no_room_beside_itself(self):
        self.instance.host = 'compute2'
        self.node.numa_topology = topologies.host(
            topologies.host_cell(0), topologies.host_cell(1, pinned={3, 4})
        )._to_json()
        with self.tracker.claiming(uuids.instance, hint.NodeMap((1,))):
            error = self.assertRaises(
                exception.ComputeResourcesUnavailable, self.claim, 1
            )
        self.assertIn('has on compute2 now stays booked', str(error))

    def test_a_node_that_went_since_the_scheduler_looked(self):
        with self.tracker.claiming(uuids.instance, hint.NodeMap((7,))):
            error = self.assertRaises(
                exception.ComputeResourcesUnavailable, self.claim, 1
            )
        self.assertIn('node 7: is not there (it has 0-3)', str(error))

    def test_memory_that_the_kernel_does_not_have(self):
        # 1024 MiB a cell, and 128 MiB that must stay free.
        self.kernel.set(2, 1151)
        with self.tracker.claiming(uuids.instance, hint.NodeMap((3, 2))):
            error = self.assertRaises(
                exception.ComputeResourcesUnavailable, self.claim
            )
            self.assertIn('Host compute2 cannot take the guest', str(error))
            self.assertIn('node 2 has 1151 MiB free now', str(error))
            self.kernel.set(2, 1152)
            self.claim()

    def test_memory_that_another_move_is_about_to_take(self):
        self.kernel.set(2, 2 * 1024)
        nodes = hint.NodeMap((3, 2))
        with self.tracker.claiming(uuids.instance, nodes):
            self.claim()
        self.tracker.tracked_migrations[uuids.instance] = None
        self.instance = objects.Instance(
            uuid=uuids.other, image_ref=uuids.image
        )
        with self.tracker.claiming(uuids.other, nodes):
            error = self.assertRaises(
                exception.ComputeResourcesUnavailable, self.claim
            )
            self.assertIn('1024 MiB of them promised', str(error))
            self.tracker.arrived(uuids.instance)
            self.claim()

    def test_memory_of_a_move_that_was_given_up_is_free_again(self):
        self.kernel.set(2, 2 * 1024)
        nodes = hint.NodeMap((3, 2))
        with self.tracker.claiming(uuids.instance, nodes):
            self.claim()
        # The audit has dropped its migration.
        self.instance = objects.Instance(
            uuid=uuids.other, image_ref=uuids.image
        )
        with self.tracker.claiming(uuids.other, nodes):
            self.claim()

    @mock.patch.object(
        resource_tracker.ResourceTracker,
        '_update_usage_from_migration',
        autospec=True,
    )
    def test_memory_of_a_guest_that_is_not_coming_home(self, _update):
        self.kernel.set(2, 2 * 1024)
        coming = objects.Instance(
            uuid=uuids.instance, numa_topology=None, migration_context=None
        )
        migration = objects.Migration(
            status='reverting',
            old_instance_type_id=1,
            new_instance_type_id=1,
            **dict.fromkeys(('source_compute', 'dest_compute'), 'compute2'),
            **dict.fromkeys(('source_node', 'dest_node'), 'compute2'),
        )
        self.tracker.tracked_migrations[coming.uuid] = migration
        self.assertEqual([], self.tracker.short_of_memory(coming.uuid, CELLS))
        self.assertTrue(self.tracker.short_of_memory(uuids.other, CELLS))
        for status, is_short in (('reverting', True), ('finished', False)):
            migration.status = status
            self.tracker._update_usage_from_migration(
                self.context, coming, migration, 'compute2'
            )
            short = self.tracker.short_of_memory(uuids.other, CELLS)
            self.assertEqual(is_short, bool(short))

    def test_of_a_bare_guest_nova_books_nothing(self):
        with self.tracker.claiming(uuids.instance, hint.NodeMap((3, 1))):
            self.assertIsNone(self.claim_bare().claimed_numa_topology)

    def test_a_bare_guest_that_does_not_fit(self):
        # A shared CPU a node.
        with self.tracker.claiming(uuids.instance, hint.NodeMap((1,))):
            error = self.assertRaises(
                exception.ComputeResourcesUnavailable, self.claim_bare
            )
        self.assertIn(
            'compute2 node 1: needs 2 shared CPUs, it has 1', str(error)
        )

    @ddt.data(((3,), 1, 1024), ((3, 1), 2, 512), ((3, 1, 0), 3, 342))
    @ddt.unpack
    def test_a_bare_guest_s_share_of_memory(self, nodes, vcpus, share):
        self.kernel.set(3, share + 127)
        with self.tracker.claiming(uuids.instance, hint.NodeMap(nodes)):
            error = self.assertRaises(
                exception.ComputeResourcesUnavailable, self.claim_bare, vcpus
            )
            self.assertIn(f'the guest needs {share} MiB', str(error))
            self.kernel.set(3, share + 128)
            self.claim_bare(vcpus)

    def test_limits_are_kept(self):
        limits = objects.NUMATopologyLimits(
            cpu_allocation_ratio=1.0, ram_allocation_ratio=0.1
        )
        shared = {'hw:cpu_policy': 'shared'}
        with self.tracker.claiming(uuids.instance, hint.NodeMap((3,))):
            a_claim = self.claim(1, cpus=1, specs=shared)
            refusal = a_claim._test_numa_topology(self.node, limits)
        self.assertIn('MiB free within the RAM allocation ratio', refusal)
