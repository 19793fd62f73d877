# SPDX-License-Identifier: Apache-2.0
"""Guests change their nodes and stay on their host."""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
from unittest import mock

from nova import context as nova_context
from nova import objects
from nova.virt.libvirt import utils as libvirt_utils

from tests.functional import base
from tests.functional import fake_libvirt
from tests.functional import whereabouts

HERE = 'compute1'
# MiB of a guest cell, and its dedicated CPUs.
CELL = (512, 2)


def booked_for(*maps, cell=CELL):
    """What guests on these nodes have of each node: MiB and pinned CPUs."""
    nodes = list(itertools.chain(*maps))
    return {
        node: tuple(nodes.count(node) * share for share in cell)
        for node in nodes
    }


class SameHostMixin:
    """Moves on compute1, with its books and its files."""

    def move(self, server, nodes):
        self.hinted_migrate(server, nodes, HERE)
        self.assertEqual(HERE, self.host_of(server))

    def assert_booked(self, *maps, cell=CELL):
        """The host's own account, as it is and after an audit."""
        for audited in (False, True):
            if audited:
                self._run_periodics()
            self.assertEqual(booked_for(*maps, cell=cell), self._booked())
        self.assertNotIn(
            'Error updating resources for node', self.stdlog.logger.output
        )

    def _booked(self):
        node = objects.ComputeNode.get_by_nodename(
            nova_context.get_admin_context(), HERE
        )
        topology = objects.NUMATopology.obj_from_db_obj(node.numa_topology)
        return {
            cell.id: (cell.memory_usage, len(cell.pinned_cpus))
            for cell in topology.cells
            if cell.memory_usage or cell.pinned_cpus
        }

    def directory(self, server):
        with self.hosts.hosts[HERE].entered():
            return libvirt_utils.get_instance_path(self.instance(server))

    @contextlib.contextmanager
    def assert_disks_stay(self, server):
        """Not copied, not renamed: the very same files."""
        path = self.directory(server)
        before = self._files(path)
        with mock.patch.object(
            libvirt_utils, 'copy_image', autospec=True
        ) as copy_image:
            yield
        copy_image.assert_not_called()
        self.assertEqual(before, self._files(path))
        self.assertEqual([path], glob.glob(f'{path}*'))

    @staticmethod
    def _files(path):
        return {
            entry.name: entry.inode()
            for entry in os.scandir(path)
            if entry.name != 'console.log'
        }

    def assert_stayed(self, server):
        """From 0, 1 on 3, 2; it can be confirmed, or reverted."""
        shown = self.admin_api.get_server(server['id'])
        self.assertEqual('VERIFY_RESIZE', shown['status'])
        self.assert_guest_on_nodes(server, [3, 2])
        self.assert_booked([0, 1], [3, 2])
        self.assertEqual([], self.checkpoint_files()[HERE])

    def allocations(self, server):
        found = self._get_allocations_by_server_uuid(server['id'])
        return {rp: allocated['resources'] for rp, allocated in found.items()}


class SameHostTest(SameHostMixin, base.NumaMigrateTestCase):
    HOSTS = (HERE,)

    def _visit(self, server, maps, cell=CELL):
        present = [c.id for c in self.instance(server).numa_topology.cells]
        allocated = self.allocations(server)
        for nodes in maps:
            with self.assert_goes_on(server), self.assert_disks_stay(server):
                self.move(server, nodes)
                self.assert_on_nodes(server, nodes)
                self.assert_booked(present, nodes, cell=cell)
                self.confirm(server)
                self.assert_on_nodes(server, nodes)
                self.assert_booked(nodes, cell=cell)
            self.assertEqual(allocated, self.allocations(server))
            present = nodes
        self.assertEqual({HERE: []}, self.checkpoint_files())

    def test_one_cell_from_every_node_to_every_other(self):
        circuit = (1, 0, 2, 0, 3, 1, 2, 1, 3, 2, 3, 0)
        self._visit(self.boot(cells=1), [[node] for node in circuit])

    def test_two_cells_to_nodes_of_their_own(self):
        self._visit(self.boot(cells=2), [[2, 3], [1, 0], [3, 2], [0, 1]])

    # With shared CPUs there is room for the new cells beside the old ones.

    def test_two_cells_to_every_ordered_pair(self):
        pairs = list(itertools.permutations(whereabouts.NODES, 2))
        server = self.boot(cells=2, dedicated=False)
        self._visit(server, [*pairs[1:], pairs[0]], cell=(512, 0))

    def test_two_cells_that_change_places(self):
        server = self.boot(cells=2, dedicated=False)
        self._visit(server, [[1, 0], [0, 1]], cell=(512, 0))


class StepsTest(SameHostMixin, base.NumaMigrateTestCase):
    def setUp(self):
        super().setUp()
        self.server = self.boot(cells=2)

    def _audited_in(self, owner, name, *maps):
        """Have the host audited before a step of libvirt's."""
        step = getattr(owner, name)
        done = []

        def audit_and_go_on(*args):
            self.assert_booked(*maps)
            done.append(name)
            return step(*args)

        self.addCleanup(lambda: self.assertEqual([name], done))
        return mock.patch.object(owner, name, audit_and_go_on)

    def _both_audited(self):
        stack = contextlib.ExitStack()
        for owner, name in (
            (fake_libvirt.Domain, 'saveFlags'),
            (fake_libvirt.Connection, 'restoreFlags'),
        ):
            stack.enter_context(self._audited_in(owner, name, [0, 1], [2, 3]))
        return stack

    def test_the_books_are_right_at_every_step(self):
        self.assert_booked([0, 1])
        with self._both_audited():
            self.move(self.server, [3, 2])
        self.assert_booked([0, 1], [3, 2])
        self.confirm(self.server)
        self.assert_booked([3, 2])

    def test_a_revert_takes_the_state_of_now_back(self):
        allocated = self.allocations(self.server)
        with (
            self.assert_goes_on(self.server),
            self.assert_disks_stay(self.server),
        ):
            self.move(self.server, [3, 2])
            # What it does there is not lost.
            self.guest(self.server).memory.counter += 5
            boot_id = self.guest(self.server).memory.boot_id
            counter = self.guest(self.server).memory.counter
            self.revert(self.server)
            memory = self.guest(self.server).memory
            self.assertEqual(
                (boot_id, counter), (memory.boot_id, memory.counter)
            )
            memory.counter -= 5
        self.assert_on_nodes(self.server, [0, 1])
        self.assert_booked([0, 1])
        self.assertEqual(allocated, self.allocations(self.server))
        self.assertEqual([], self.checkpoint_files()[HERE])

    def test_the_books_are_right_at_every_step_of_a_revert(self):
        self.move(self.server, [3, 2])
        with (
            self._audited_in(fake_libvirt.Domain, 'saveFlags', [0, 1], [3, 2]),
            self._audited_in(fake_libvirt.Connection, 'restoreFlags', [0, 1]),
        ):
            self.revert(self.server)
        self.assert_booked([0, 1])

    def test_among_moves_to_other_hosts(self):
        with self.assert_goes_on(self.server):
            for nodes, host in (
                ([2, 0], 'compute2'),
                ([3, 1], 'compute2'),
                ([1, 3], HERE),
                ([0, 2], HERE),
            ):
                self.hinted_migrate(self.server, nodes, host)
                self.confirm(self.server)
                self.assertEqual(host, self.host_of(self.server))
                self.assert_on_nodes(self.server, nodes)
                others = {h: set() for h in self.HOSTS if h != host}
                self.assert_audited({host: set(nodes), **others})
        # And a plain one afterwards leaves the host.
        self._migrate_server(self.server, api=self.admin_api)
        self.assertEqual('compute2', self.host_of(self.server))

    def test_a_stopped_server(self):
        self._stop_server(self.server)
        with self.assert_disks_stay(self.server):
            self.move(self.server, [3, 2])
            self.assertEqual([], self.running_on(self.server))
            self.assert_booked([0, 1], [3, 2])
            self.post_action(self.server, {'confirmResize': None}, 204)
            self.wait_for(self.server, 'SHUTOFF')
        self._start_server(self.server)
        self.assert_on_nodes(self.server, [3, 2])
        self.assert_booked([3, 2])

    def test_without_its_state(self):
        hints = self.hints([3, 2], numa_checkpoint='never')
        body = {'host': HERE, 'os:scheduler_hints': hints}
        boot_id = self.guest(self.server).memory.boot_id
        with self.assert_disks_stay(self.server):
            self.post_action(self.server, {'migrate': body})
            self.wait_for(self.server, 'VERIFY_RESIZE')
            self.assert_on_nodes(self.server, [3, 2])
            self.assert_booked([0, 1], [3, 2])
            self.revert(self.server)
        self.assertNotEqual(boot_id, self.guest(self.server).memory.boot_id)
        self.assert_on_nodes(self.server, [0, 1])
        self.assert_booked([0, 1])

    def test_hard_reboot_boots(self):
        self.move(self.server, [3, 2])
        self.confirm(self.server)
        boot_id = self.guest(self.server).memory.boot_id
        self._reboot_server(self.server, hard=True, api=self.admin_api)
        self.assertNotEqual(boot_id, self.guest(self.server).memory.boot_id)
        self.assert_on_nodes(self.server, [3, 2])

    def test_delete_before_the_confirm(self):
        path = self.directory(self.server)
        self.move(self.server, [3, 2])
        self._delete_server(self.server)
        self.assert_booked()
        self.assertEqual([], self.checkpoint_files()[HERE])
        self.assertEqual([], glob.glob(f'{path}*'))

    def test_delete_right_after_the_revert(self):
        self.move(self.server, [3, 2])
        self.revert(self.server)
        self._delete_server(self.server)
        self.assert_booked()


class RefusedTest(SameHostMixin, base.NumaMigrateTestCase):
    HOSTS = (HERE,)
    CAST_AS_CALL = False

    def setUp(self):
        super().setUp()
        self.server = self.boot(cells=2)

    def test_where_it_is_already(self):
        answer = self.post_migrate(self.server, [0, 1], HERE, status=400)
        self.assertIn(
            'is on host compute1, NUMA node(s) 0,1, already',
            answer.body['badRequest']['message'],
        )

    def test_a_node_that_the_host_does_not_have(self):
        answer = self.post_migrate(self.server, [0, 7], HERE, status=400)
        self.assertIn(
            'host compute1 has no NUMA node 7 (it has 0-3)',
            answer.body['badRequest']['message'],
        )

    def test_without_the_host_it_has_to_leave(self):
        answer = self.post_migrate(self.server, [3, 2], status=400)
        self.assertIn(
            'no other compute host', answer.body['badRequest']['message']
        )

    def test_no_room_beside_itself(self):
        with self.assert_goes_on(self.server):
            self.post_migrate(self.server, [1, 0], HERE)
            self._wait_for_server_parameter(
                self.server, {'OS-EXT-STS:task_state': None}
            )
        self.assert_on_nodes(self.server, [0, 1])
        self.assert_booked([0, 1])

    def test_a_plain_migration_does_not_stay(self):
        self.post_action(self.server, {'migrate': None})
        self._wait_for_server_parameter(
            self.server, {'OS-EXT-STS:task_state': None}
        )
        (failed,) = [
            event
            for event in self.actions_of(self.server)
            if event['event'] == 'conductor_migrate_server'
        ]
        self.assertEqual('Error', failed['result'])
        self.assert_booked([0, 1])

    def test_a_plain_migration_may_not_name_it(self):
        body = {'migrate': {'host': HERE}}
        self.post_action(self.server, body, 400)

    def test_no_trait_says_that_it_could(self):
        traits = self._get_provider_traits(self.compute_rp_uuids[HERE])
        self.assertNotIn('COMPUTE_SAME_HOST_COLD_MIGRATE', traits)
