# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong, the guest runs with its state on exactly one host."""

from __future__ import annotations

from unittest import mock

from oslo_concurrency import processutils

from nova_numa_migrate.compute import claim
from tests.functional import failing
from tests.functional import fake_hosts
from tests.functional import fake_libvirt
from tests.functional import libvirt_xml


class BeforeTheSaveTest(failing.FailingTestCase):
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
            libvirt_xml.element('<tpm model="tpm-crb"/>')
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
            mock.patch.object(
                fake_libvirt.Domain, 'saveFlags', failing.libvirt_error
            ),
        ):
            self.post_migrate(self.server, [3, 2])
            self.wait_for_failure(self.server)
        self.assert_as_before()
        details = self.failed_events()['numa_migrate_checkpoint']
        self.assertIn('on fire', details)


class AfterTheSaveTest(failing.FailingTestCase):
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


class RescheduleTest(failing.FailingTestCase):
    HOSTS = ('compute1', 'compute2', 'compute3')

    def refusals(self):
        """Each host that has refused the guest, and why."""
        return [
            (event['host'], event['details'])
            for event in self.actions_of(self.server)
            if event['event'] == 'numa_migrate_refused'
        ]

    def test_each_host_that_refuses_says_why(self):
        def refuse(self, *args):
            return f'no room on {self.tracker.host}'

        with (
            self.assert_goes_on(self.server),
            mock.patch.object(claim.NumaMoveClaim, '_claim_nodes', refuse),
        ):
            self.post_migrate(self.server, [3, 2])
            self.wait_for_failure(self.server)
        refusals = dict(self.refusals())
        self.assertEqual({'compute2', 'compute3'}, set(refusals))
        for host, reason in refusals.items():
            self.assertIn(f'no room on {host}', reason)
        self._assert_its_owner_sees_no_host()

    def _assert_its_owner_sees_no_host(self):
        self.api.microversion = self.microversion
        events = self.actions_of(self.server, self.api)
        names = [event['event'] for event in events]
        self.assertEqual(2, names.count('numa_migrate_refused'))
        for host in self.HOSTS:
            self.assertNotIn(host, str(events))

    def test_the_next_host_takes_the_same_nodes(self):
        with (
            self.assert_goes_on(self.server),
            self.first_host_refuses() as refused,
        ):
            self.hinted_migrate(self.server, [3, 2])
        (second,) = {'compute2', 'compute3'} - set(refused)
        ((host, reason),) = self.refusals()
        self.assertEqual(refused, [host])
        self.assertIn('somebody was faster', reason)
        self.assertEqual(second, self.host_of(self.server))
        self.assert_on_nodes(self.server, [3, 2])
        self.assert_audited(
            {'compute1': {0, 1}, refused[0]: set(), second: {2, 3}}
        )
        self.confirm(self.server)
        self.assert_audited(
            {'compute1': set(), refused[0]: set(), second: {2, 3}}
        )
