# SPDX-License-Identifier: Apache-2.0
"""A service dies in the middle of a move, and is started again."""

from __future__ import annotations

import contextlib
import threading
from unittest import mock

import ddt
from nova import objects
from nova.compute import rpcapi
import oslo_messaging as messaging

from nova_numa_migrate.compute import arrivals
from nova_numa_migrate.compute import way_home
from nova_numa_migrate.move import MOVE_KEY
from nova_numa_migrate.virt import nova_transport
from tests.functional import failing
from tests.functional import fake_libvirt


@ddt.ddt
class RestartTest(failing.FailingTestCase):
    def _restore_then_kill(self, does_restore, restarts=True):
        restore = fake_libvirt.Connection.restoreFlags

        def restore_or_not(*args):
            if does_restore:
                restore(*args)
            raise failing.Killed

        self.kill(
            'compute2',
            'finish_resize',
            fake_libvirt.Connection,
            'restoreFlags',
            restore_or_not,
        )
        self.assertEqual('resize_finish', self.task())
        if restarts:
            self.restart_compute_service('compute2')
        else:
            self._take_up('compute2')

    def _take_up(self, host):
        with mock.patch.object(arrivals, 'PATIENCE', 0):
            self.computes[host].manager._take_up_moves(self.ctxt)

    def _die_after_the_save(self):
        self.kill(
            'compute1',
            'resize_instance',
            nova_transport.NovaTransport,
            'send',
            failing.killed,
        )

    def test_the_source_s_service_dies_after_the_save(self):
        with self.assert_goes_on(self.server):
            self._die_after_the_save()
            self.assertEqual([], self.running_on(self.server))
            self.assertEqual('resize_migrating', self.task())
            self.restart_compute_service('compute1')
        self.assert_as_before()

    def _cannot_be_brought_back(self):
        """The source's service has died, and its storage is not up again."""
        self._die_after_the_save()
        self.flags(resume_guests_state_on_host_boot=True)
        with self.restore_fails_on('compute1'):
            for _ in range(2):
                self.restart_compute_service('compute1')
                self._assert_kept()

    def _assert_kept(self):
        self.computes['compute1'].manager._sync_power_states(self.ctxt)
        server = self.admin_api.get_server(self.server['id'])
        self.assertEqual('ERROR', server['status'])
        self.assertIn('openstack server reboot', server['fault']['message'])
        self.assertEqual([], self.running_on(self.server))
        # A start is what gives the state up, and is refused.
        self.post_action(self.server, {'os-start': None}, 409)

    def test_the_source_cannot_bring_the_guest_back(self):
        with self.assert_goes_on(self.server):
            self._cannot_be_brought_back()
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self._wait_for_assert(self._assert_ended)
        self.assert_as_before()

    def test_the_state_of_such_a_guest_is_given_up(self):
        self._cannot_be_brought_back()
        self._stop_server(self.server)
        self._start_server(self.server)
        self._wait_for_assert(self._assert_ended)
        self.assert_as_before()

    def test_such_a_guest_is_evacuated(self):
        """What its host has of it is never restored over what it does then."""
        self._cannot_be_brought_back()
        self.assertIn(
            f'{self.server["id"]}.save', self.checkpoint_files()['compute1']
        )
        self.computes['compute1'].stop()
        service = self.computes['compute1'].service_ref.uuid
        self.admin_api.put_service_force_down(service, True)
        self._evacuate_server(
            self.server, expected_host='compute2', expected_state='ACTIVE'
        )
        self.assertNotIn(MOVE_KEY, self.instance(self.server).system_metadata)
        self.restart_compute_service('compute1')
        self.computes['compute2'].manager._sweep_checkpoints(self.ctxt)
        self.assertEqual(['compute2'], self.running_on(self.server))
        self._assert_nothing_left()

    def _assert_ended(self):
        """All that its move held is given back."""
        self.assertEqual('error', self._migration_status(self.server))

    def _save_then_kill(self, does_save):
        save = fake_libvirt.Domain.saveFlags

        def save_or_not(*args):
            if does_save:
                save(*args)
            raise failing.Killed

        with self.assert_goes_on(self.server):
            self.kill(
                'compute1',
                'resize_instance',
                fake_libvirt.Domain,
                'saveFlags',
                save_or_not,
            )
            self.assertEqual('resize_migrating', self.task())
            self.assertEqual(
                [] if does_save else ['compute1'],
                self.running_on(self.server),
            )
            self.restart_compute_service('compute1')
        self.assert_as_before()

    def test_the_source_s_service_dies_before_the_save(self):
        self._save_then_kill(does_save=False)

    def test_the_source_s_service_dies_as_the_save_ends(self):
        self._save_then_kill(does_save=True)

    def test_the_source_loses_its_power_during_the_save(self):
        """The guest's memory is lost: it boots, as after any crash."""

        def lose_power(domain, *args):
            domain.destroy()
            raise failing.Killed

        self.kill(
            'compute1',
            'resize_instance',
            fake_libvirt.Domain,
            'saveFlags',
            lose_power,
        )
        self.assertEqual([], self.running_on(self.server))
        self.restart_compute_service('compute1')
        self.assertEqual(['compute1'], self.running_on(self.server))
        self.assert_as_before()

    @ddt.data(True, False)
    def test_the_destination_s_service_dies_before_the_restore(self, restarts):
        """Or its database is silent, and whoever was at it gives up."""
        with self.assert_goes_on(self.server):
            self._restore_then_kill(does_restore=False, restarts=restarts)
            self.wait_for(self.server, 'ACTIVE')
            self._wait_for_server_parameter(
                self.server, {'OS-EXT-STS:task_state': None}
            )
        self.assert_as_before()

    def test_the_source_s_service_dies_before_it_sends_the_message(self):
        with self.assert_goes_on(self.server):
            message = self._lose_the_message()
            self.restart_compute_service('compute2')
            self.wait_for(self.server, 'VERIFY_RESIZE')
        self._assert_moved_once(message)

    def test_the_message_is_lost(self):
        with self.assert_goes_on(self.server):
            message = self._lose_the_message()
            self._take_up('compute2')
            self.wait_for(self.server, 'VERIFY_RESIZE')
        self._assert_moved_once(message)

    def _lose_the_message(self):
        """What the source would have told the destination at last."""
        lost = mock.Mock(side_effect=failing.killed)
        self.kill(
            'compute1',
            'resize_instance',
            rpcapi.ComputeAPI,
            'finish_resize',
            lost,
        )
        self.assertEqual('resize_migrated', self.task())
        self.assertEqual([], self.running_on(self.server))
        return lost.call_args

    def _assert_moved_once(self, message):
        self.assert_on_nodes(self.server, [3, 2])
        self.assertEqual([], self.checkpoint_files()['compute2'])
        context, instance, migration, image, disk_info, _, spec = message.args
        with self.assert_goes_on(self.server):
            # It comes after all.
            self.computes['compute2'].manager.finish_resize(
                context, disk_info, image, instance, migration, spec
            )
        self.assertEqual('finished', self._migration_status(self.server))
        with self.assert_goes_on(self.server):
            self.confirm(self.server)
        self.assert_audited({'compute1': set(), 'compute2': {2, 3}})

    @ddt.data(True, False)
    def test_it_is_handed_over_and_nobody_hears_of_it(self, is_saved):
        """The answer of the database is lost, or it saves no more."""
        save = objects.Instance.save

        def fail(instance, **more):
            hands_over = (
                instance.task_state == 'resize_migrated'
                and more.get('expected_task_state') == 'resize_migrating'
            )
            if is_saved or not hands_over:
                save(instance, **more)
            if hands_over:
                raise messaging.MessagingTimeout

        with (
            self.assert_goes_on(self.server),
            mock.patch.object(objects.Instance, 'save', fail),
        ):
            self._assert_finished_at_the_destination()
        self.confirm(self.server)
        self.assert_audited({'compute1': set(), 'compute2': {2, 3}})

    def test_the_message_cannot_be_sent(self):
        bus = mock.Mock(side_effect=messaging.MessageDeliveryFailure)
        with (
            self.assert_goes_on(self.server),
            mock.patch.object(rpcapi.ComputeAPI, 'finish_resize', bus),
        ):
            self._assert_finished_at_the_destination()
        self._assert_moved_once(bus.call_args)

    def _assert_finished_at_the_destination(self):
        with self._ended('compute1', 'resize_instance'):
            self.post_migrate(self.server, [3, 2])
        server = self.admin_api.get_server(self.server['id'])
        self.assertEqual(
            ('ACTIVE', 'resize_migrated'),
            (server['OS-EXT-STS:vm_state'].upper(), self.task()),
        )
        self.assertEqual('post-migrating', self._migration_status(self.server))
        self._take_up('compute2')
        self.wait_for(self.server, 'VERIFY_RESIZE')

    def test_the_database_is_silent_when_the_guest_was_saved(self):
        save, silent = objects.Instance.save, threading.Event()

        def fail(instance, **more):
            if instance.task_state == 'resize_migrated':
                silent.set()
            if silent.is_set():
                raise messaging.MessagingTimeout
            save(instance, **more)

        with self.assert_goes_on(self.server):
            with (
                mock.patch.object(objects.Instance, 'save', fail),
                mock.patch.object(
                    way_home,
                    'has_left',
                    autospec=True,
                    side_effect=messaging.MessagingTimeout,
                ),
                self._ended('compute1', 'resize_instance'),
            ):
                self.post_migrate(self.server, [3, 2])
            self.assertEqual('resize_migrating', self.task())
            self.assertEqual([], self.running_on(self.server))
            self._take_up('compute1')
            self.wait_until_home('error')
        self.assert_as_before()

    @contextlib.contextmanager
    def _ended(self, host, name):
        """Until that method of the host's manager has been at work."""
        manager, ended = self.computes[host].manager, threading.Event()
        whole = getattr(manager, name)

        def until_ended(*args, **kwargs):
            try:
                return whole(*args, **kwargs)
            finally:
                ended.set()

        with mock.patch.object(manager, name, until_ended):
            yield
            self.assertTrue(ended.wait(600))

    def test_the_destination_loses_its_power_when_the_guest_runs(self):
        """Its files are with its source as they were."""
        with self.assert_goes_on(self.server):
            self.lose_power_when_it_runs('compute2')
            self.wait_for(self.server, 'ACTIVE')
            self._wait_for_server_parameter(
                self.server, {'OS-EXT-STS:task_state': None}
            )
        self.assert_as_before()

    def test_nova_boots_what_ran_when_the_host_went_down(self):
        """But no guest on a move, which has its state elsewhere."""
        self.flags(resume_guests_state_on_host_boot=True)
        other = self.boot(cells=1, dedicated=False, host='compute2')
        self.guest(other).destroy()
        self.test_the_destination_loses_its_power_when_the_guest_runs()
        self.assertEqual(['compute2'], self.running_on(other))

    def test_the_destination_s_service_dies_after_the_restore(self):
        with self.assert_goes_on(self.server):
            self._restore_then_kill(does_restore=True)
            self.wait_for(self.server, 'VERIFY_RESIZE')
        self.assert_on_nodes(self.server, [3, 2])
        self.assertEqual([], self.checkpoint_files()['compute2'])
        with self.assert_goes_on(self.server):
            self.confirm(self.server)
        self.assert_audited({'compute1': set(), 'compute2': {2, 3}})
