# SPDX-License-Identifier: Apache-2.0
"""A move that something breaks, for the tests of what is left then.

Casts are casts here: an error of one service does not travel back through
the others, as it would not in a cloud.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from unittest import mock

from nova.tests.fixtures import libvirt as fakelibvirt
from oslo_concurrency import processutils

from nova_numa_migrate.compute import claim
from nova_numa_migrate.move import MOVE_KEY
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
