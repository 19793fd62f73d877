# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong, the guest runs with its state on exactly one host.

Casts are casts here: an error of one service does not travel back through
the others, as it would not in a cloud.
"""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import threading
from unittest import mock

from nova import objects
from nova.compute import rpcapi
from nova.tests.fixtures import libvirt as fakelibvirt
from oslo_concurrency import processutils
import oslo_messaging as messaging

from nova_numa_migrate.compute import arrivals
from nova_numa_migrate.compute import claim
from nova_numa_migrate.move import MOVE_KEY
from nova_numa_migrate.virt import nova_transport
from tests.functional import base
from tests.functional import fake_hosts
from tests.functional import fake_libvirt


def libvirt_error(*args, **kwargs):
    raise fakelibvirt.make_libvirtError(
        fakelibvirt.libvirtError,
        'internal error: the disk of the host is on fire',
        error_code=fakelibvirt.VIR_ERR_INTERNAL_ERROR,
        error_domain=fakelibvirt.VIR_FROM_QEMU,
    )


class Killed(BaseException):
    """What no handler of Nova's or of ours may catch: the service is gone."""


def killed(*args):
    raise Killed


class FailingTestCase(base.NumaMigrateTestCase):
    CAST_AS_CALL = False

    def setUp(self):
        super().setUp()
        self.server = self.a_server()

    def a_server(self):
        return self.boot(cells=2)

    def assert_as_before(self):
        """On compute1, on its nodes, with nothing left of the attempt."""
        server = self.admin_api.get_server(self.server['id'])
        self.assertEqual('ACTIVE', server['status'])
        self.assertEqual('compute1', server['OS-EXT-SRV-ATTR:host'])
        self.assert_on_nodes(self.server, [0, 1])
        # The destination may just be told.
        self._wait_for_assert(self._assert_nothing_left)
        instance = self.instance(self.server)
        self.assertNotIn(MOVE_KEY, instance.system_metadata)
        self.assertIsNone(instance.old_flavor)
        others = {h: set() for h in self.computes if h != 'compute1'}
        self._run_periodics()
        self.assert_audited({'compute1': {0, 1}, **others})

    def _assert_nothing_left(self):
        self.assertEqual(
            [], list(itertools.chain(*self.checkpoint_files().values()))
        )

    def failed_events(self):
        return {
            event['event']: event.get('details')
            for event in self.actions_of(self.server)
            if event['result'] == 'Error'
        }

    @staticmethod
    def copy_fails_for(suffix):
        """The network breaks when a file of that kind is on its way."""
        copy_file = fake_hosts.RemoteDirectories.copy_file

        def copy(self, src, dst, **kwargs):
            copy_file(self, src, dst, **kwargs)
            if dst.endswith(suffix):
                raise processutils.ProcessExecutionError(
                    stderr='connection lost', exit_code=255, cmd='scp'
                )

        return mock.patch.object(
            fake_hosts.RemoteDirectories, 'copy_file', copy
        )

    @staticmethod
    def restore_fails_on(*hosts):
        restore = fake_libvirt.Connection.restoreFlags

        def fail(self, *args):
            if fake_hosts.here().name in hosts:
                libvirt_error()
            restore(self, *args)

        return mock.patch.object(fake_libvirt.Connection, 'restoreFlags', fail)

    @staticmethod
    @contextlib.contextmanager
    def first_host_refuses():
        """The claim of the first host fails; its name is in the list."""
        refused = []
        claim_nodes = claim.NumaMoveClaim._claim_nodes

        def refuse_once(self, *args):
            if not refused:
                refused.append(self.tracker.host)
                return 'somebody was faster'
            return claim_nodes(self, *args)

        with mock.patch.object(
            claim.NumaMoveClaim, '_claim_nodes', refuse_once
        ):
            yield refused

    def wait_until_home(self, migration):
        """The server is active, and then its migration has that status."""
        self._wait_for_server_parameter(
            self.server,
            {'status': 'ACTIVE', 'OS-EXT-STS:task_state': None},
        )
        self._wait_for_assert(
            lambda: self.assertEqual(
                migration, self._migration_status(self.server)
            )
        )

    def kill(self, host, method, where, name, replacement, begin=None):
        """The service dies in a step; nothing of it still runs then."""
        manager = self.computes[host].manager
        whole = getattr(manager, method)
        dead = threading.Event()

        def until_dead(*args, **kwargs):
            try:
                return whole(*args, **kwargs)
            finally:
                dead.set()

        with (
            mock.patch.object(manager, method, until_dead),
            mock.patch.object(where, name, replacement),
        ):
            if begin is None:
                self.post_migrate(self.server, [3, 2])
            else:
                begin()
            self.assertTrue(dead.wait(600))

    def lose_power_when_it_runs(self, host):
        """The host dies in the instant in which the guest goes on there."""
        resume = fake_libvirt.Domain.resume

        def resume_and_die(domain):
            resume(domain)
            domain.destroy()
            raise Killed

        self.kill(
            host,
            'finish_resize',
            fake_libvirt.Domain,
            'resume',
            resume_and_die,
        )
        self.assertEqual('resize_finish', self.task())
        self.restart_compute_service(host)

    def task(self):
        server = self.admin_api.get_server(self.server['id'])
        return server['OS-EXT-STS:task_state']


class BeforeTheSaveTest(FailingTestCase):
    def test_no_host_has_room(self):
        blocker = self.boot(cells=2, host='compute2')
        self.post_migrate(blocker, [3, 2], host='compute1')
        self.wait_for(blocker, 'VERIFY_RESIZE')
        self.confirm(blocker)
        blocker = self.boot(cells=1, host='compute2')
        with self.assert_goes_on(self.server):
            # Node 0 of compute2 is taken.
            self.post_migrate(self.server, [1, 0])
            self.wait_for_failure(self.server)
        self.assertIn('conductor_migrate_server', self.failed_events())
        self.assertEqual([0, 1], self._nodes())
        self.assertEqual(['compute1'], self.running_on(self.server))

    def _nodes(self):
        topology = self.instance(self.server).numa_topology
        return [cell.id for cell in topology.cells]

    def test_the_claim_fails(self):
        with (
            self.assert_goes_on(self.server),
            mock.patch.object(
                claim.NumaMoveClaim, '_claim_nodes', autospec=True
            ) as claim_nodes,
        ):
            claim_nodes.return_value = 'somebody was faster'
            self.post_migrate(self.server, [3, 2])
            self.wait_for_failure(self.server)
        self.assertEqual(1, claim_nodes.call_count)
        self.assert_as_before()
        details = self.failed_events()['compute_prep_resize']
        self.assertIn('somebody was faster', details)

    def test_the_destination_s_node_is_short_of_memory(self):
        # Something that Nova knows nothing of has taken it.
        self.nodes.set(2, 512 + 127)
        with self.assert_goes_on(self.server):
            self.post_migrate(self.server, [3, 2])
            self.wait_for_failure(self.server)
        self.assert_as_before()
        details = self.failed_events()['compute_prep_resize']
        self.assertIn('node 2 has 639 MiB free now', details)
        self.assertIn('the guest needs 512 MiB', details)

    def test_the_destination_breaks_during_the_claim(self):
        with (
            self.assert_goes_on(self.server),
            mock.patch.object(
                claim.NumaMoveClaim,
                '_claim_nodes',
                autospec=True,
                side_effect=ValueError('a CPU went offline'),
            ),
        ):
            self.post_migrate(self.server, [3, 2])
            self.wait_for_failure(self.server)
        self.assert_as_before()

    def test_a_blocker_that_only_the_source_sees(self):
        self.guest(self.server)._defined.find('devices').append(
            fake_libvirt.element('<tpm model="tpm-crb"/>')
        )
        with self.assert_goes_on(self.server):
            self.post_migrate(self.server, [3, 2])
            self.wait_for_failure(self.server)
        self.assert_as_before()
        details = self.failed_events()['compute_resize_instance']
        self.assertIn('vTPM', details)

    def test_the_save_fails(self):
        with (
            self.assert_goes_on(self.server),
            mock.patch.object(fake_libvirt.Domain, 'saveFlags', libvirt_error),
        ):
            self.post_migrate(self.server, [3, 2])
            self.wait_for_failure(self.server)
        self.assert_as_before()
        details = self.failed_events()['numa_migrate_checkpoint']
        self.assertIn('on fire', details)


class AfterTheSaveTest(FailingTestCase):
    def test_the_checkpoint_does_not_arrive(self):
        self._assert_goes_on_at_the_source_if_lost('.save')
        details = self.failed_events()['numa_migrate_transfer']
        self.assertIn('connection lost', details)

    def test_the_disk_does_not_arrive(self):
        self._assert_goes_on_at_the_source_if_lost('/disk')

    def _assert_goes_on_at_the_source_if_lost(self, file):
        with self.assert_goes_on(self.server), self.copy_fails_for(file):
            self.post_migrate(self.server, [3, 2])
            self.wait_for_failure(self.server)
        self.assert_as_before()

    def test_the_hosts_do_not_hear_one_another_any_more(self):
        """The destination removes what the source cannot."""
        copy = self.hosts.hosts['compute2'].instances / self.server['id']

        def unheard(*args, **kwargs):
            self.assertTrue(copy.exists())
            raise processutils.ProcessExecutionError(
                stderr='no route to host', exit_code=255, cmd='ssh'
            )

        with (
            self.assert_goes_on(self.server),
            self.copy_fails_for('/disk'),
            mock.patch.object(
                fake_hosts.RemoteDirectories, 'remove_dir', unheard
            ),
            mock.patch.object(
                fake_hosts.RemoteDirectories, 'remove_file', unheard
            ),
        ):
            self.post_migrate(self.server, [3, 2])
            self.wait_for_failure(self.server)
            self._wait_for_assert(lambda: self.assertFalse(copy.exists()))
        self.assert_as_before()

    def test_it_can_be_tried_again(self):
        with self.assert_goes_on(self.server):
            with self.copy_fails_for('/disk'):
                self.post_migrate(self.server, [3, 2])
                self.wait_for_failure(self.server)
            # The destination gives back what it claimed at its next audit.
            self._run_periodics()
            self.hinted_migrate(self.server, [3, 2])
        self.assert_on_nodes(self.server, [3, 2])

    def test_it_cannot_be_handed_over(self):
        start = 'nova.network.neutron.API.migrate_instance_start'
        bug = ValueError('Neutron is down')
        with (
            self.assert_goes_on(self.server),
            mock.patch(start, autospec=True, side_effect=bug),
        ):
            self.post_migrate(self.server, [3, 2])
            self.wait_until_home('error')
        self.assertIn('compute_resize_instance', self.failed_events())
        self.assert_as_before()
        left = self.hosts.hosts['compute2'].instances / self.server['id']
        self.assertFalse(left.exists())

    # A guest that cannot start at the destination goes home.

    def test_the_restore_fails(self):
        with self.restore_fails_on('compute2'):
            self._assert_comes_home()
        details = self.failed_events()['numa_migrate_restore']
        self.assertIn('compute2: internal error: the disk', details)

    def test_a_byte_is_changed_on_its_way(self):
        with self._copy_damaged_by(lambda data: data[:-1] + b'?'):
            self._assert_comes_home()
        self._assert_damage_is_told()

    def test_the_end_is_lost_on_its_way(self):
        with self._copy_damaged_by(lambda data: data[:-1]):
            self._assert_comes_home()
        self._assert_damage_is_told()

    def test_the_checkpoint_is_gone_at_the_destination(self):
        send = 'nova_numa_migrate.virt.nova_transport.NovaTransport.send'
        self.stub_out(send, lambda *args: None)
        self._assert_comes_home()

    def _assert_comes_home(self):
        with self.assert_goes_on(self.server):
            self.post_migrate(self.server, [3, 2])
            self.wait_until_home('reverted')
        self.assertIn(
            'numa_migrate_return',
            [event['event'] for event in self.actions_of(self.server)],
        )
        self.assert_as_before()

    def _assert_damage_is_told(self):
        details = self.failed_events()['numa_migrate_restore']
        self.assertIn('is damaged or incomplete', details)

    def _copy_damaged_by(self, damage):
        copy_file = fake_hosts.RemoteDirectories.copy_file

        def copy(self, src, dst, **kwargs):
            copy_file(self, src, dst, **kwargs)
            if dst.endswith('.save'):
                found = pathlib.Path(self._local(dst))
                found.write_bytes(damage(found.read_bytes()))

        return mock.patch.object(
            fake_hosts.RemoteDirectories, 'copy_file', copy
        )

    def test_it_runs_already_when_the_move_fails(self):
        """Such a move cannot be undone any more: it is completed."""
        verify = 'nova_numa_migrate.virt.destination.verify'
        bug = ValueError('a bug')
        with mock.patch(verify, autospec=True, side_effect=bug):
            with self.assert_goes_on(self.server):
                self.hinted_migrate(self.server, [3, 2])
        self.assertEqual('finished', self._migration_status(self.server))
        self.assert_on_nodes(self.server, [3, 2])
        with self.assert_goes_on(self.server):
            self.confirm(self.server)
        self.assert_audited({'compute1': set(), 'compute2': {2, 3}})

    def test_it_was_restored_and_nobody_can_be_told(self):
        """The message bus is gone when that is to be written down."""
        finish = objects.InstanceActionEvent.event_finish_with_failure

        def fail(cls, context, uuid, event, **kwargs):
            if event == 'numa_migrate_restore':
                raise messaging.MessagingTimeout
            return finish(context, uuid, event, **kwargs)

        with (
            self.assert_goes_on(self.server),
            mock.patch.object(
                objects.InstanceActionEvent,
                'event_finish_with_failure',
                classmethod(fail),
            ),
        ):
            self.post_migrate(self.server, [3, 2])
            self.wait_until_home('reverted')
        self.assert_as_before()

    def _lose_both_ways(self):
        """It can start neither there nor at home; what Nova says then."""
        with self.restore_fails_on('compute1', 'compute2'):
            self.post_migrate(self.server, [3, 2])
            self.wait_for(self.server, 'ERROR')
        # Not booted in silence, and nothing of its state is lost.
        self.assertEqual('compute1', self.host_of(self.server))
        self.assertEqual([], self.running_on(self.server))
        image = f'{self.server["id"]}.save'
        self.assertIn(image, self.checkpoint_files()['compute1'])
        self.assertEqual([], self.checkpoint_files()['compute2'])
        return self.failed_events()['compute_finish_revert_resize']

    def test_it_cannot_start_at_home_either(self):
        with self.assert_goes_on(self.server):
            told = self._lose_both_ways()
            self.assertIn('on fire', told)
            self.assertIn('openstack server reboot --hard', told)
            self.computes['compute1'].manager._sweep_checkpoints(self.ctxt)
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self.assert_guest_on_nodes(self.server, [0, 1])
        self._assert_nothing_left()
        boot_id = self.guest(self.server).memory.boot_id
        # The next one is a reboot.
        self._reboot_server(self.server, hard=True, api=self.admin_api)
        self.assertNotEqual(boot_id, self.guest(self.server).memory.boot_id)

    def test_it_cannot_start_after_the_reboot_either(self):
        with self.assert_goes_on(self.server):
            self._lose_both_ways()
            with self.restore_fails_on('compute1'):
                self.post_action(self.server, {'reboot': {'type': 'HARD'}})
                self._wait_for_server_parameter(
                    self.server,
                    {'status': 'ERROR', 'OS-EXT-STS:task_state': None},
                )
            self._reboot_server(self.server, hard=True, api=self.admin_api)
        self._assert_nothing_left()

    def test_its_state_is_given_up(self):
        memory = self.guest(self.server).memory
        self._lose_both_ways()
        self._stop_server(self.server)
        self._start_server(self.server)
        self.assertEqual(['compute1'], self.running_on(self.server))
        self.assertNotEqual(
            memory.boot_id, self.guest(self.server).memory.boot_id
        )
        self._assert_nothing_left()

    def test_it_is_deleted(self):
        self._lose_both_ways()
        self.admin_api.delete_server(self.server['id'])
        self._wait_for_assert(
            lambda: self.assertEqual([], self.admin_api.get_servers())
        )
        self._assert_nothing_left()


class RestartTest(FailingTestCase):
    def _restore_then_kill(self, does_restore):
        restore = fake_libvirt.Connection.restoreFlags

        def restore_or_not(*args):
            if does_restore:
                restore(*args)
            raise Killed

        self.kill(
            'compute2',
            'finish_resize',
            fake_libvirt.Connection,
            'restoreFlags',
            restore_or_not,
        )
        self.assertEqual('resize_finish', self.task())
        self.restart_compute_service('compute2')

    def test_the_source_s_service_dies_after_the_save(self):
        with self.assert_goes_on(self.server):
            self.kill(
                'compute1',
                'resize_instance',
                nova_transport.NovaTransport,
                'send',
                killed,
            )
            self.assertEqual([], self.running_on(self.server))
            self.assertEqual('resize_migrating', self.task())
            self.restart_compute_service('compute1')
        self.assert_as_before()

    def _save_then_kill(self, does_save):
        save = fake_libvirt.Domain.saveFlags

        def save_or_not(*args):
            if does_save:
                save(*args)
            raise Killed

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

    def test_the_destination_s_service_dies_before_the_restore(self):
        with self.assert_goes_on(self.server):
            self._restore_then_kill(does_restore=False)
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
            with mock.patch.object(arrivals, 'PATIENCE', 0):
                self.computes['compute2'].manager._take_up_arrivals(self.ctxt)
            self.wait_for(self.server, 'VERIFY_RESIZE')
        self._assert_moved_once(message)

    def _lose_the_message(self):
        """What the source would have told the destination at last."""
        lost = mock.Mock(side_effect=killed)
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

    def test_the_destination_loses_its_power_when_the_guest_runs(self):
        """Its files are with its source as they were."""
        with self.assert_goes_on(self.server):
            self.lose_power_when_it_runs('compute2')
            self.wait_for(self.server, 'ACTIVE')
            self._wait_for_server_parameter(
                self.server, {'OS-EXT-STS:task_state': None}
            )
        self.assert_as_before()

    def test_the_destination_s_service_dies_after_the_restore(self):
        with self.assert_goes_on(self.server):
            self._restore_then_kill(does_restore=True)
            self.wait_for(self.server, 'VERIFY_RESIZE')
        self.assert_on_nodes(self.server, [3, 2])
        self.assertEqual([], self.checkpoint_files()['compute2'])
        with self.assert_goes_on(self.server):
            self.confirm(self.server)
        self.assert_audited({'compute1': set(), 'compute2': {2, 3}})


class RescheduleTest(FailingTestCase):
    HOSTS = ('compute1', 'compute2', 'compute3')

    def test_the_next_host_takes_the_same_nodes(self):
        with (
            self.assert_goes_on(self.server),
            self.first_host_refuses() as refused,
        ):
            self.hinted_migrate(self.server, [3, 2])
        (second,) = {'compute2', 'compute3'} - set(refused)
        self.assertEqual(second, self.host_of(self.server))
        self.assert_on_nodes(self.server, [3, 2])
        self.assert_audited(
            {'compute1': {0, 1}, refused[0]: set(), second: {2, 3}}
        )
        self.confirm(self.server)
        self.assert_audited(
            {'compute1': set(), refused[0]: set(), second: {2, 3}}
        )
