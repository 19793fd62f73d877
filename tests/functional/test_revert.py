# SPDX-License-Identifier: Apache-2.0
"""What a revert gives back, by what is one for both hosts."""

from __future__ import annotations

from unittest import mock

import ddt
from nova.compute import manager
import oslo_messaging as messaging

from nova_numa_migrate.compute import arrivals
from nova_numa_migrate.compute import endpoint
from nova_numa_migrate.compute import under_way
from nova_numa_migrate.virt import driver
from tests.functional import failing
from tests.functional import reverting


class SharedTest(reverting.SharedTestCase):
    def test_the_guest_goes_home_as_it_is(self):
        self.move()
        # What was saved before the move is worth nothing any more.
        self.assertNotIn(
            f'{self.server["id"]}.save', self.checkpoint_files()['compute1']
        )
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self.assert_home()
        self.assertLessEqual(
            {'numa_migrate_checkpoint', 'numa_migrate_bring_back'},
            {event['event'] for event in self.actions_of(self.server)},
        )

    def test_the_destination_loses_its_power_when_the_guest_runs(self):
        """Nobody knows what it has written: no checkpoint fits any more."""
        boot_id = self.guest(self.server).memory.boot_id
        self.lose_power_when_it_runs('compute2')
        self.wait_for(self.server, 'VERIFY_RESIZE')
        self.assertEqual('compute2', self.host_of(self.server))
        self.assertEqual([], self.running_on(self.server))
        self.assertEqual([], self.checkpoint_files()['compute2'])
        self.revert(self.server)
        self.assert_home()
        memory = self.guest(self.server).memory
        self.assertNotEqual(boot_id, memory.boot_id)

    def test_a_guest_that_has_stopped_itself_is_booted(self):
        self.move()
        self.guest(self.server).shutdown()
        self.revert(self.server)
        self.assert_home()
        self.assertEqual(0, self.guest(self.server).memory.counter)

    def test_the_save_fails(self):
        self.move()
        self.stub_out(
            'tests.functional.fake_libvirt.Domain.saveFlags',
            failing.libvirt_error,
        )
        self.assert_stays('numa_migrate_checkpoint')

    def test_the_checkpoint_does_not_arrive(self):
        self.move()
        with self.copy_fails_for('.save'):
            self.assert_stays('numa_migrate_transfer')
        # Nothing stands against another try.
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self.assert_home()

    def test_it_can_neither_go_home_nor_go_on(self):
        self.move()
        compute = self.computes['compute2'].manager
        with self.assert_goes_on(self.server):
            with (
                self.copy_fails_for('.save'),
                self.restore_fails_on('compute2'),
            ):
                self.post_revert()
                self._wait_for_assert(
                    lambda: self.assertIn(
                        'numa_migrate_transfer', self.failed_events()
                    )
                )
                self._take_up()
                self.assertEqual([], self.running_on(self.server))
                compute._sweep_checkpoints(self.ctxt)
            self.assertEqual('resize_reverting', self.task())
            self._take_up()
            self.wait_for(self.server, 'VERIFY_RESIZE')
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self.assert_home()

    def _take_up(self):
        """When whoever is at work is done."""
        compute = self.computes['compute2'].manager
        instance = self.instance(self.server)
        self._wait_for_assert(
            lambda: self.assertFalse(under_way.is_busy('revert', instance))
        )
        with mock.patch.object(arrivals, 'PATIENCE', 0):
            compute._take_up_moves(self.ctxt)

    def _home_says(self, error):
        return mock.patch.object(
            endpoint.NumaEndpoint,
            'sync_checkpoint',
            autospec=True,
            side_effect=error,
        )

    def test_home_cannot_keep_the_checkpoint(self):
        self.move()
        with self._home_says(OSError('the disk is full')):
            self.assert_stays('numa_migrate_sync')

    def test_home_is_short_of_memory(self):
        self.move()
        self.nodes.set(1, 512 + 127)
        self.assert_stays('numa_migrate_check')
        details = self.failed_events()['numa_migrate_check']
        self.assertIn('Host compute1 cannot take the guest', details)
        self.assertIn('node 1 has 639 MiB free now', details)
        self.nodes.set(1, 512 + 128)
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self.assert_home()

    def test_home_cannot_be_asked_for_room(self):
        self.move()
        # Enough to be started there, too little to be let in.
        self.nodes.set(1, 512 + 127)
        with (
            self.assert_goes_on(self.server),
            mock.patch.object(
                endpoint.NumaEndpoint,
                'check_return',
                autospec=True,
                side_effect=messaging.UnsupportedVersion('1.2'),
            ),
        ):
            self.revert(self.server)
        self.nodes.set(1, 4096)
        self.assert_home()

    def test_home_cannot_be_asked_to_keep_it(self):
        self.move()
        with (
            self.assert_goes_on(self.server),
            self._home_says(messaging.UnsupportedVersion('1.2')),
        ):
            self.revert(self.server)
        self.assert_home()

    def test_it_cannot_go_on_at_home(self):
        self.move()
        self.fail_at_home()

    def _kill_the_service(self, where, name, replacement):
        self.kill(
            'compute2',
            'revert_resize',
            where,
            name,
            replacement,
            self.post_revert,
        )
        self.assertEqual('resize_reverting', self.task())
        self.restart_compute_service('compute2')

    def test_the_service_dies_before_it_has_sent_the_guest(self):
        self.move()
        with self.assert_goes_on(self.server):
            self._kill_the_service(
                self.computes['compute2'].driver.transport,
                'send',
                failing.killed,
            )
            self.wait_for(self.server, 'VERIFY_RESIZE')
            self.assertEqual([], self.checkpoint_files()['compute2'])
        with self.assert_goes_on(self.server):
            self.revert(self.server)
        self.assert_home()

    def test_the_service_dies_when_it_has_sent_the_guest(self):
        self.move()
        with self.assert_goes_on(self.server):
            self._kill_the_service(
                manager.ComputeManager,
                'revert_resize',
                failing.killed,
            )
            self.wait_for(self.server, 'ACTIVE')
        self.assert_home()


@ddt.ddt
class LostAtHomeTest(reverting.SharedTestCase):
    """The source loses the checkpoint before the guest goes on from it."""

    def setUp(self):
        super().setUp()
        self.move()

    def lose(self, content):
        """What is found there then; None where the file is gone."""
        begin = driver.NumaLibvirtDriver.begin_return

        def begin_without_it(driver, instance):
            image = driver.checkpoints.image(instance.uuid)
            if content is None:
                image.unlink()
            else:
                image.write_text(content)
            begin(driver, instance)

        return mock.patch.object(
            driver.NumaLibvirtDriver, 'begin_return', begin_without_it
        )

    @ddt.data(None, 'half')
    def test_it_is_fetched(self, content):
        with self.assert_goes_on(self.server), self.lose(content):
            self.revert(self.server)
        self.assert_home()

    @ddt.data(None, 'half')
    def test_it_cannot_be_fetched(self, content):
        unsent = mock.patch.object(
            driver.NumaLibvirtDriver,
            'send_again',
            autospec=True,
            side_effect=OSError('connection lost'),
        )
        with self.assert_goes_on(self.server):
            with self.lose(content), unsent:
                self.post_revert()
                self.wait_for(self.server, 'ERROR')
            told = self.failed_events()['compute_finish_revert_resize']
            self.assertIn('on host compute2 could not be fetched', told)
            self.assertIn('openstack server reboot --hard', told)
            for host in ('compute1', 'compute2'):
                self.computes[host].manager._sweep_checkpoints(self.ctxt)
            self.assertEqual([], self.running_on(self.server))
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self.assert_guest_on_nodes(self.server, [0, 1])
        self._wait_for_assert(self._assert_nothing_left)


@ddt.ddt
class AfterwardsTest(reverting.SharedTestCase):
    """Whatever starts the guest later boots it."""

    def _hard_reboot(self):
        self._reboot_server(self.server, hard=True, api=self.admin_api)

    def _stop_and_start(self):
        self._stop_server(self.server)
        self._start_server(self.server)

    def _shelve_and_unshelve(self):
        self.flags(shelved_offload_time=0)
        self._shelve_server(self.server)
        self._unshelve_server(self.server)

    @ddt.data('_hard_reboot', '_stop_and_start', '_shelve_and_unshelve')
    def test_after_a_revert(self, start):
        self.move()
        self.revert(self.server)
        self._assert_boots(start)

    @ddt.data('_hard_reboot', '_stop_and_start', '_shelve_and_unshelve')
    def test_after_a_confirm(self, start):
        self.move()
        self.confirm(self.server)
        self._assert_boots(start)

    def _assert_boots(self, start):
        self.assertEqual(reverting.NOTHING, self.checkpoint_files())
        boot_id = self.guest(self.server).memory.boot_id
        getattr(self, start)()
        self.assertEqual(
            [self.host_of(self.server)], self.running_on(self.server)
        )
        memory = self.guest(self.server).memory
        self.assertNotEqual(boot_id, memory.boot_id)
        self.assertEqual(0, memory.counter)
        self.assertEqual(reverting.NOTHING, self.checkpoint_files())

    def test_a_delete(self):
        self.move()
        self._delete_server(self.server)
        self.assertEqual(reverting.NOTHING, self.checkpoint_files())
