# SPDX-License-Identifier: Apache-2.0
"""At any instant of a revert one host books the server."""

from nova import exception
from nova import objects
from nova.compute import resource_tracker
from nova.compute import task_states
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.compute import tracker
from tests.unit import topologies
from tests.unit.compute import moves
from tests.unit.compute import trackers


class HandHomeTestCase(moves.MovesTestCase):
    def setUp(self):
        super().setUp()
        self.tracker = trackers.a_tracker()
        self.tracker.tracked_instances.add(uuids.instance)
        self.drop = self.patch(
            resource_tracker.ResourceTracker, '_drop_move_claim'
        )
        self.patch(
            objects.ComputeNode,
            'get_by_host_and_nodename',
            side_effect=lambda _, host, node: objects.ComputeNode(
                id=7, host=host, hypervisor_hostname=node
            ),
        )
        for field in ('source_compute', 'source_node'):
            setattr(self.migration, field, field)
        self.migration.dest_compute = self.migration.dest_node = 'compute2'
        self.migration.status = 'reverting'
        self.old = topologies.guest(2)
        self.instance = moves.an_instance(
            moves.a_move(move.State.RESTORED),
            host='compute2',
            node='compute2',
            compute_id=8,
            new_flavor=objects.Flavor(),
            numa_topology=topologies.guest(2),
            migration_context=objects.MigrationContext(
                old_numa_topology=self.old,
                old_pci_devices=None,
                old_pci_requests=None,
                old_resources=None,
            ),
        )
        self.saved = []
        for cls in (objects.Instance, objects.Migration):
            name = cls.__name__
            self.patch(cls, 'save', side_effect=self.saves(name))
        self.patch(objects.Instance, 'drop_migration_context')

    def saves(self, name):
        return lambda **_: self.saved.append((name, self.migration.status))

    def give_back(self):
        self.tracker.drop_move_claim_at_dest(
            self.context, self.instance, self.migration
        )

    def assert_home(self):
        self.assertEqual(
            ('source_compute', 'source_node', 7),
            (
                self.instance.host,
                self.instance.node,
                self.instance.compute_id,
            ),
        )
        self.assertIs(self.old, self.instance.numa_topology)
        self.assertEqual('reverted', self.migration.status)

    def test_the_server_goes_before_its_migration_ends(self):
        self.give_back()
        self.drop.assert_called_once_with(
            self.context,
            self.instance,
            'compute2',
            self.instance.new_flavor,
            prefix='new_',
        )
        self.assertEqual(
            [('Instance', 'reverting'), ('Migration', 'reverted')], self.saved
        )
        self.assertEqual(
            {'expected_task_state': [task_states.RESIZE_REVERTING]},
            self.instance.save.call_args.kwargs,
        )
        self.assert_home()

    def test_what_cannot_be_reported_waits_for_the_audit(self):
        self.drop.side_effect = exception.PlacementAPIConnectFailure
        with self.assertLogs(tracker.LOG.logger, 'ERROR'):
            self.give_back()
        self.assert_home()

    def test_nothing_is_given_back_twice(self):
        self.tracker.tracked_instances.clear()
        self.give_back()
        self.drop.assert_not_called()
        self.assert_home()

    def test_nor_where_it_is_booked_on_its_old_cells_here(self):
        for field in ('dest_compute', 'source_compute'):
            setattr(self.migration, field, 'compute2')
        for field in ('dest_node', 'source_node'):
            setattr(self.migration, field, 'compute2')
        self.migration.old_instance_type_id = 1
        self.migration.new_instance_type_id = 1
        self.give_back()
        self.drop.assert_not_called()

    def test_a_move_without_a_hint_is_novas(self):
        move.forget(self.instance.system_metadata)
        novas = self.patch(
            resource_tracker.ResourceTracker, 'drop_move_claim_at_dest'
        )
        self.give_back()
        novas.assert_called_once_with(
            self.context, self.instance, self.migration
        )
        self.assertEqual('compute2', self.instance.host)

    def test_so_is_one_of_an_earlier_migration(self):
        moves.a_move(migration=uuids.earlier).store(
            self.instance.system_metadata
        )
        novas = self.patch(
            resource_tracker.ResourceTracker, 'drop_move_claim_at_dest'
        )
        self.give_back()
        novas.assert_called_once_with(
            self.context, self.instance, self.migration
        )
