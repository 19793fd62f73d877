# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong, a bound guest keeps its state and its binding."""

from __future__ import annotations

import itertools
from unittest import mock

from nova_numa_migrate.move import MOVE_KEY
from tests.functional import failing
from tests.functional import fake_libvirt
from tests.functional import test_bare

HERE, THERE, MIB = test_bare.HERE, test_bare.THERE, test_bare.MIB


class BoundTestCase(test_bare.BareMixin, failing.FailingTestCase):
    """A guest on nodes 2 and 0 of its host, asked onto 3 and 1."""

    def a_server(self):
        server = self.boot_bare(2, THERE)
        self.move(server, [2, 0], HERE)
        return server

    def assert_as_before(self):
        server = self.admin_api.get_server(self.server['id'])
        self.assertEqual('ACTIVE', server['status'])
        self.assertEqual(
            [], list(itertools.chain(*self.checkpoint_files().values()))
        )
        metadata = self.instance(self.server).system_metadata
        self.assertEqual(
            [], [key for key in metadata if key.startswith(MOVE_KEY)]
        )
        self.assert_bound(self.server, (2, 1), (0, 1), host=HERE)
        # And not by what libvirt remembers.
        self.hard_reboot(self.server)
        self.assert_bound(self.server, (2, 1), (0, 1), host=HERE)

    def ask(self):
        self.post_migrate(self.server, [3, 1], THERE)


class BeforeTheSaveTest(BoundTestCase):
    def test_a_node_is_short_of_its_share(self):
        half = MIB // 2
        self.nodes.set(1, half + 127)
        with self.assert_goes_on(self.server):
            self.ask()
            self.wait_for_failure(self.server)
        details = self.failed_events()['compute_prep_resize']
        self.assertIn(f'node 1 has {half + 127} MiB free now', details)
        self.assertIn(f'the guest needs {half} MiB', details)
        self.assert_as_before()
        self.nodes.set(1, half + 128)
        self.hinted_migrate(self.server, [3, 1], THERE)
        self.assert_bound(self.server, (3, 1), (1, 1), host=THERE)

    def test_a_node_that_is_to_have_all_of_it(self):
        with self.assert_goes_on(self.server):
            self.post_migrate(self.server, [1], THERE)
            self.wait_for_failure(self.server)
        details = self.failed_events()['numa_migrate_schedule_1']
        # Two vCPUs, and one shared CPU a node.
        self.assertEqual(
            'compute2 node 1: needs 2 shared CPUs, it has 1', details
        )
        self.assert_as_before()

    def test_the_save_fails(self):
        with (
            self.assert_goes_on(self.server),
            mock.patch.object(
                fake_libvirt.Domain, 'saveFlags', failing.libvirt_error
            ),
        ):
            self.ask()
            self.wait_for_failure(self.server)
        self.assert_as_before()


class AfterTheSaveTest(BoundTestCase):
    def test_the_disk_does_not_arrive(self):
        with self.assert_goes_on(self.server), self.copy_fails_for('/disk'):
            self.ask()
            self.wait_for_failure(self.server)
        self.assert_as_before()

    def test_it_cannot_be_handed_over(self):
        start = 'nova.network.neutron.API.migrate_instance_start'
        bug = ValueError('Neutron is down')
        with (
            self.assert_goes_on(self.server),
            mock.patch(start, autospec=True, side_effect=bug),
        ):
            self.ask()
            self.wait_until_home('error')
        self.assert_as_before()

    def test_the_restore_fails(self):
        with (
            self.assert_goes_on(self.server),
            self.restore_fails_on(THERE),
        ):
            self.ask()
            self.wait_until_home('reverted')
        self.assert_as_before()

    def test_it_cannot_start_at_home_either(self):
        with self.assert_goes_on(self.server):
            with self.restore_fails_on(HERE, THERE):
                self.ask()
                self.wait_for(self.server, 'ERROR')
            self.hard_reboot(self.server)
        self.assert_bound(self.server, (2, 1), (0, 1), host=HERE)

    def test_the_source_s_service_dies_after_the_save(self):
        with self.assert_goes_on(self.server):
            self.kill(
                HERE,
                'resize_instance',
                fake_libvirt.Domain,
                'saveFlags',
                self._then_killed(fake_libvirt.Domain.saveFlags),
                self.ask,
            )
            self.restart_compute_service(HERE)
        self.assert_as_before()

    def test_the_destination_s_dies_before_the_restore(self):
        with self.assert_goes_on(self.server):
            self._destination_dies(failing.killed)
            self.wait_for(self.server, 'ACTIVE')
            self._wait_for_server_parameter(
                self.server, {'OS-EXT-STS:task_state': None}
            )
        self.assert_as_before()

    def test_the_destination_s_dies_after_the_restore(self):
        restore = fake_libvirt.Connection.restoreFlags
        with self.assert_goes_on(self.server):
            self._destination_dies(self._then_killed(restore))
            self.wait_for(self.server, 'VERIFY_RESIZE')
            self.confirm(self.server)
        self.hard_reboot(self.server)
        self.assert_bound(self.server, (3, 1), (1, 1), host=THERE)

    def _destination_dies(self, restore):
        self.kill(
            THERE,
            'finish_resize',
            fake_libvirt.Connection,
            'restoreFlags',
            restore,
            self.ask,
        )
        self.restart_compute_service(THERE)

    @staticmethod
    def _then_killed(step):
        def do_and_die(*args):
            step(*args)
            raise failing.Killed

        return do_and_die


class RevertTest(BoundTestCase):
    def test_to_the_nodes_of_before(self):
        self.hinted_migrate(self.server, [3, 1], THERE)
        boot_id = self.guest(self.server).memory.boot_id
        self.revert(self.server)
        self.assertEqual(boot_id, self.guest(self.server).memory.boot_id)
        self.assert_as_before()

    def test_on_its_host_with_the_state_of_now(self):
        with self.assert_goes_on(self.server):
            self.hinted_migrate(self.server, [3, 1], HERE)
            self.revert(self.server)
        self.assert_as_before()

    def test_on_its_host_where_memory_is_short(self):
        self.hinted_migrate(self.server, [3, 1], HERE)
        self.nodes.set(0, MIB // 2 + 127)
        with self.assert_goes_on(self.server):
            self.post_action(self.server, {'revertResize': None})
            self._wait_for_server_parameter(
                self.server, {'OS-EXT-STS:task_state': None}
            )
        details = self.failed_events()['numa_migrate_check']
        self.assertIn('node 0 has 383 MiB free now', details)
        self.assert_bound(self.server, (3, 1), (1, 1), host=HERE)
        self.confirm(self.server)
        self.hard_reboot(self.server)
        self.assert_bound(self.server, (3, 1), (1, 1), host=HERE)

    def test_where_another_guest_has_taken_the_memory(self):
        self.hinted_migrate(self.server, [3, 1], THERE)
        self.nodes.set(0, MIB // 2 + 127)
        with self.assert_goes_on(self.server):
            self.post_action(self.server, {'revertResize': None})
            self._wait_for_server_parameter(
                self.server,
                {'status': 'VERIFY_RESIZE', 'OS-EXT-STS:task_state': None},
            )
        details = self.failed_events()['numa_migrate_check']
        self.assertIn(f'Host {HERE} cannot take the guest', details)
        self.assertIn('node 0 has 383 MiB free now', details)
        self.assert_bound(self.server, (3, 1), (1, 1), host=THERE)
        self.nodes.set(0, MIB // 2 + 128)
        self.revert(self.server)
        self.assert_as_before()

    def test_to_being_bound_to_nothing(self):
        for host in (HERE, THERE):
            server = self.boot_bare(1)
            self.hinted_migrate(server, [1], host)
            self.revert(server)
            self.assert_unbound(server, HERE)
            self.hard_reboot(server)
            self.assert_unbound(server, HERE)

    def test_of_a_stopped_one(self):
        self._stop_server(self.server)
        self.hinted_migrate(self.server, [3, 1], THERE)
        self.post_action(self.server, {'revertResize': None})
        self.wait_for(self.server, 'SHUTOFF')
        self._start_server(self.server)
        self.assert_as_before()


class RescheduleTest(BoundTestCase):
    HOSTS = (HERE, THERE, 'compute3')

    def test_the_next_host_takes_it(self):
        with (
            self.assert_goes_on(self.server),
            self.first_host_refuses() as refused,
        ):
            self.hinted_migrate(self.server, [3, 1])
        (second,) = {THERE, 'compute3'} - set(refused)
        self.assert_bound(self.server, (3, 1), (1, 1), host=second)
        self.revert(self.server)
        self.assert_as_before()
