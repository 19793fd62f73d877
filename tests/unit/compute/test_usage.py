# SPDX-License-Identifier: Apache-2.0
"""What a migration holds on one host beside what its instance has."""

from unittest import mock

import ddt
from nova import objects
from nova.compute import resource_tracker
from nova.compute import utils as compute_utils
from nova.compute import vm_states
from oslo_utils.fixture import uuidsentinel as uuids

from tests.unit import patching
from tests.unit import topologies
from tests.unit.compute import trackers

SIZES = {
    'flavorid': 'f',
    'memory_mb': 2048,
    'vcpus': 4,
    'root_gb': 1,
    'ephemeral_gb': 0,
    'swap': 0,
}


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
class NodeToNodeTestCase(patching.PatchingTestCase):
    """What a migration holds on one host beside what its instance has."""

    def setUp(self):
        super().setUp()
        self.tracker = trackers.a_tracker()
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
        self.patch(
            compute_utils, 'is_volume_backed_instance', return_value=False
        )

    def held(self, **fields):
        """The nodes that are booked for the migration."""
        migration = objects.Migration(
            uuid=uuids.migration,
            instance_uuid=uuids.instance,
            **{
                'migration_type': 'migration',
                'status': 'migrating',
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


@ddt.ddt
class DeletedTestCase(patching.PatchingTestCase):
    """What a server that is deleted right after its move gives back."""

    def setUp(self):
        super().setUp()
        self.tracker = trackers.a_tracker()
        self.tracker.compute_nodes['compute2'] = objects.ComputeNode()
        self.instance = objects.Instance(
            uuid=uuids.instance,
            vm_state=vm_states.DELETED,
            task_state=None,
            instance_type_id=1,
            numa_topology=placed(0, 1),
            migration_context=None,
        )
        self.migration = objects.Migration(new_instance_type_id=1)
        self.novas = self.patch(
            resource_tracker.ResourceTracker, '_update_usage_from_instance'
        )
        self.patch(resource_tracker.ResourceTracker, '_update')
        self.migrations = self.tracker.tracked_migrations
        self.instances = self.tracker.tracked_instances

    def update(self):
        self.tracker.update_usage(mock.MagicMock(), self.instance, 'compute2')

    def booked(self):
        return self.migrations, self.instances

    def drop(self):
        self.tracker._drop_move_claim(
            mock.MagicMock(), self.instance, 'compute2'
        )

    def test_one_that_is_booked_as_a_migration(self):
        self.migrations[uuids.instance] = self.migration
        self.update()
        self.novas.assert_called_once()
        self.assertEqual(({}, {uuids.instance}), self.booked())

    def move_to(self, *nodes):
        self.instance.migration_context = objects.MigrationContext(
            new_numa_topology=placed(*nodes)
        )
        self.migrations[uuids.instance] = self.migration

    def test_one_that_has_its_new_cells(self):
        self.move_to(0, 1)
        self.update()
        self.novas.assert_called_once()

    def test_one_that_was_handed_over_and_has_its_old_cells(self):
        self.move_to(3, 2)
        self.update()
        self.novas.assert_not_called()
        self.assertEqual([uuids.instance], list(self.migrations))

    def test_one_that_has_its_old_flavor(self):
        self.move_to(0, 1)
        self.migration.new_instance_type_id = 2
        self.update()
        self.novas.assert_not_called()

    def test_one_that_is_not_deleted_stays_a_migration(self):
        self.instance.vm_state = vm_states.RESIZED
        self.migrations[uuids.instance] = self.migration
        self.update()
        self.novas.assert_not_called()
        self.assertEqual([uuids.instance], list(self.migrations))

    def test_one_that_is_not_booked_gives_nothing_back(self):
        self.update()
        self.novas.assert_not_called()

    def test_one_that_is_booked_as_both_keeps_the_migration(self):
        self.migrations[uuids.instance] = self.migration
        self.instances.add(uuids.instance)
        self.update()
        self.novas.assert_called_once()
        self.assertEqual([uuids.instance], list(self.migrations))

    def test_one_that_has_moved_on_its_host_is_known_there(self):
        self.migrations[uuids.instance] = self.migration
        self.instances.add(uuids.instance)
        self.patch(
            resource_tracker.ResourceTracker, '_get_flavor', return_value=None
        )
        self.drop()
        self.assertEqual(({}, {uuids.instance}), self.booked())

    @ddt.data(True, False)
    def test_one_that_has_left_is_not(self, audited):
        self.patch(
            resource_tracker.ResourceTracker, '_get_flavor', return_value=None
        )
        if audited:
            self.migrations[uuids.instance] = self.migration
        else:
            self.instances.add(uuids.instance)
        self.drop()
        self.assertEqual(({}, set()), self.booked())
