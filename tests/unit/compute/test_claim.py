# SPDX-License-Identifier: Apache-2.0
"""The claim of the named cells, and the tracker that knows which."""

import threading
from unittest import mock

import ddt
from nova import context
from nova import exception
from nova import objects
from nova import test
from nova.compute import claims
from nova.compute import resource_tracker
from nova.compute import utils as compute_utils
import nova.conf
from nova.pci import manager as pci_manager
from nova.virt import driver as virt_driver
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import binding
from nova_numa_migrate import hint
from nova_numa_migrate.compute import claim
from nova_numa_migrate.compute import tracker
from nova_numa_migrate.conf import numa_migrate
from tests import fake_nodes
from tests.unit import topologies

SIZES = {
    'flavorid': 'f',
    'memory_mb': 2048,
    'vcpus': 4,
    'root_gb': 1,
    'ephemeral_gb': 0,
    'swap': 0,
}
EXTRA_SPECS = {'hw:cpu_policy': 'dedicated', 'hw:cpu_thread_policy': 'prefer'}


@ddt.ddt
class ClaimTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        numa_migrate.register_opts(nova.conf.CONF)
        self.kernel = self.useFixture(fake_nodes.FakeNodesFixture())
        self.context = context.RequestContext('user', 'project')
        self.tracker = tracker.NumaResourceTracker(
            'compute2',
            mock.create_autospec(virt_driver.ComputeDriver, instance=True),
        )
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


class TrackerTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.tracker = tracker.NumaResourceTracker(
            'compute2',
            mock.create_autospec(virt_driver.ComputeDriver, instance=True),
        )
        self.nodes = hint.NodeMap((3, 2))

    def test_only_while_it_is_claiming(self):
        self.assertIsNone(self.tracker.node_map_of('u1'))
        with self.tracker.claiming('u1', self.nodes):
            self.assertEqual(self.nodes, self.tracker.node_map_of('u1'))
            self.assertIsNone(self.tracker.node_map_of('u2'))
        self.assertIsNone(self.tracker.node_map_of('u1'))

    def test_two_requests_at_one_time_do_not_end_each_other(self):
        begun, over = threading.Event(), threading.Event()
        found = []

        def second():
            with self.tracker.claiming('u1', hint.NodeMap((1, 0))):
                begun.set()
                over.wait(60)
                found.append(self.tracker.node_map_of('u1'))

        thread = threading.Thread(target=second)
        with self.tracker.claiming('u1', self.nodes):
            thread.start()
            self.assertTrue(begun.wait(60))
            self.assertEqual(self.nodes, self.tracker.node_map_of('u1'))
        over.set()
        thread.join(60)
        self.assertEqual([hint.NodeMap((1, 0))], found)

    def bound_by(self, name, *args, topology=None):
        """What an instance is bound to when Nova's claim is made."""
        instance = objects.Instance(
            uuid=uuids.instance, numa_topology=topology, system_metadata={}
        )
        old = binding.Binding('compute2', (1,))
        binding.place(instance.system_metadata, old)
        novas = mock.patch.object(
            resource_tracker.ResourceTracker, name, autospec=True
        )
        with novas as claim_of_novas:
            found = getattr(self.tracker, name)('context', instance, *args)
        self.assertIs(claim_of_novas.return_value, found)
        ((_, claimed, *rest), _) = claim_of_novas.call_args
        self.assertIs(instance, claimed)
        self.assertEqual(args, tuple(rest)[: len(args)])
        return binding.Binding.of(instance.system_metadata, 'compute2')

    def test_one_that_is_created_or_unshelved(self):
        args = ('instance_claim', 'node', {}, 'limits')
        self.assertIsNone(self.bound_by(*args))
        with self.tracker.claiming(uuids.instance, self.nodes):
            self.assertEqual(
                binding.Binding('compute2', (3, 2)), self.bound_by(*args)
            )
            topology = topologies.guest(2)
            self.assertIsNone(self.bound_by(*args, topology=topology))

    def test_one_that_is_evacuated(self):
        self.assertIsNone(self.bound_by('rebuild_claim', 'node', {}, 'limits'))

    def test_a_failure_ends_it_too(self):
        def fail():
            with self.tracker.claiming('u1', self.nodes):
                raise RuntimeError

        self.assertRaises(RuntimeError, fail)
        self.assertIsNone(self.tracker.node_map_of('u1'))


def placed(*nodes):
    """A guest with a cell on each of the nodes, as it was claimed there."""
    topology = topologies.guest(len(nodes))
    for cell, node in zip(topology.cells, nodes, strict=True):
        cell.id = node
        cell.cpu_pinning = dict(
            zip(sorted(cell.pcpuset), (3 * node, 3 * node + 1), strict=True)
        )
    return topology


@ddt.ddt
class NodeToNodeTestCase(test.NoDBTestCase):
    """What a migration holds on one host beside what its instance has."""

    def setUp(self):
        super().setUp()
        self.tracker = tracker.NumaResourceTracker(
            'compute2',
            mock.create_autospec(virt_driver.ComputeDriver, instance=True),
        )
        self.tracker.pci_tracker = None
        self.node = objects.ComputeNode(
            numa_topology=topologies.host()._to_json(),
            memory_mb=16384,
            memory_mb_used=0,
            local_gb=100,
            local_gb_used=0,
            vcpus_used=0,
        )
        self.tracker.compute_nodes['compute2'] = self.node
        self.tracker.stats['compute2'] = mock.Mock(num_instances=1)
        self.flavor = objects.Flavor(id=1, **SIZES)
        self.instance = objects.Instance(
            uuid=uuids.instance,
            flavor=self.flavor,
            old_flavor=objects.Flavor(**SIZES),
            new_flavor=objects.Flavor(**SIZES),
            instance_type_id=1,
            numa_topology=placed(0, 1),
            migration_context=objects.MigrationContext(
                old_numa_topology=placed(0, 1), new_numa_topology=placed(3, 2)
            ),
        )
        self.tracker.tracked_instances.add(uuids.instance)
        self.patch_bfv()

    def patch_bfv(self):
        patcher = mock.patch.object(
            compute_utils,
            'is_volume_backed_instance',
            autospec=True,
            return_value=False,
        )
        patcher.start()
        self.addCleanup(patcher.stop)

    def held(self, **fields):
        """The nodes that are booked for the migration."""
        migration = objects.Migration(
            uuid=uuids.migration,
            instance_uuid=uuids.instance,
            **{
                'migration_type': 'migration',
                'source_compute': 'compute2',
                'source_node': 'compute2',
                'dest_compute': 'compute2',
                'dest_node': 'compute2',
                'old_instance_type_id': 1,
                'new_instance_type_id': 1,
                **fields,
            },
        )
        before = migration.obj_to_primitive()['nova_object.data']
        self.tracker._update_usage_from_migration(
            mock.sentinel.context, self.instance, migration, 'compute2'
        )
        after = migration.obj_to_primitive()['nova_object.data']
        self.assertEqual(before, after)
        booked = objects.NUMATopology.obj_from_db_obj(self.node.numa_topology)
        return {cell.id for cell in booked.cells if cell.pinned_cpus}

    def test_the_new_cells_until_the_instance_has_them(self):
        self.assertEqual({2, 3}, self.held())
        self.assertIn(uuids.instance, self.tracker.tracked_migrations)

    def test_the_old_ones_from_then_on(self):
        self.instance.numa_topology = placed(3, 2)
        self.assertEqual({0, 1}, self.held())
        self.assertIn(uuids.instance, self.tracker.tracked_migrations)

    def test_the_order_of_the_cells_counts(self):
        self.instance.migration_context.new_numa_topology = placed(1, 0)
        self.assertEqual({0, 1}, self.held())
        self.instance.numa_topology = placed(1, 0)
        self.instance.migration_context.old_numa_topology = placed(2, 3)
        self.node.numa_topology = topologies.host()._to_json()
        self.assertEqual({2, 3}, self.held())

    # Nova's own, to the letter.

    def test_a_resize_on_one_host(self):
        self.assertEqual(
            {2, 3},
            self.held(migration_type='resize', new_instance_type_id=2),
        )
        self.instance.instance_type_id = 2
        self.node.numa_topology = topologies.host()._to_json()
        self.assertEqual(
            {0, 1},
            self.held(migration_type='resize', new_instance_type_id=2),
        )

    def test_a_resize_on_the_same_cells(self):
        self.instance.migration_context.new_numa_topology = placed(0, 1)
        self.instance.new_flavor.memory_mb = 4096
        self.held(migration_type='resize', new_instance_type_id=2)
        self.assertEqual(4096, self.node.memory_mb_used)

    @ddt.data(
        ({'source_compute': 'compute1', 'source_node': 'compute1'}, {2, 3}),
        ({'dest_compute': 'compute1', 'dest_node': 'compute1'}, {0, 1}),
    )
    @ddt.unpack
    def test_between_two_hosts(self, elsewhere, held):
        self.tracker.tracked_instances.clear()
        for present in (placed(0, 1), placed(3, 2)):
            self.instance.numa_topology = present
            self.node.numa_topology = topologies.host()._to_json()
            self.assertEqual(held, self.held(**elsewhere))

    def test_one_whose_context_is_gone(self):
        self.instance.migration_context = None
        self.assertEqual(set(), self.held())
