# SPDX-License-Identifier: Apache-2.0
"""The real ``openstack`` command, with the hook installed, over real HTTP."""

import os
import pathlib
import subprocess
import sys
import tempfile

import testtools

from tests.unit.client import fake_cloud

OPENSTACK = pathlib.Path(sys.executable).with_name('openstack')
HINTED = ('server', 'migrate', '--hint', 'numa_node=1')


class CloudTestCase(testtools.TestCase):
    """The command and a cloud."""

    def setUp(self):
        super().setUp()
        running = fake_cloud.running()
        self.cloud = running.__enter__()
        self.addCleanup(running.__exit__, None, None, None)
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.environment = {
            'PATH': os.environ['PATH'],
            'HOME': home.name,
            **self.cloud.environment(),
            # Where this package is, if somebody says so.
            **{k: v for k, v in os.environ.items() if k == 'PYTHONPATH'},
        }

    def openstack(self, *argv, commands=None):
        return subprocess.run(
            [OPENSTACK, *argv],
            input=commands,
            stdin=None if commands else subprocess.DEVNULL,
            env=self.environment,
            cwd=self.environment['HOME'],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def assert_refused(self, result, *words):
        """One line on stderr with these words, and nothing printed."""
        self.assertEqual(1, result.returncode, result)
        self.assertEqual('', result.stdout)
        self.assertEqual(1, len(result.stderr.splitlines()), result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)


class MigrateTestCase(CloudTestCase):
    def test_the_hint_travels_inside_migrate(self):
        result = self.openstack(*HINTED, '--host', 'compute2', 'g1')
        self.assertEqual((0, ''), (result.returncode, result.stderr))
        [(body, version)] = self.cloud.actions
        hints = {'numa_node': '1'}
        migrate = {'host': 'compute2', 'os:scheduler_hints': hints}
        self.assertEqual({'migrate': migrate}, body)
        self.assertRegex(version, r'^compute 2\.(5[6-9]|[6-9]\d|1\d\d)$')

    def test_the_next_command_of_a_shell_is_stock(self):
        result = self.openstack(
            commands='server migrate --hint numa_node=3 --hint numa_node=2 '
            'g1\nserver migrate g1\nexit\n'
        )
        # The stock shell ends with 1 however its commands went.
        self.assertEqual('', result.stderr)
        first, second = (body for body, _version in self.cloud.actions)
        hints = {'numa_node': ['3', '2']}
        migrate = {'host': None, 'os:scheduler_hints': hints}
        self.assertEqual({'migrate': migrate}, first)
        self.assertEqual({'migrate': None}, second)

    def test_an_old_microversion_sends_nothing(self):
        result = self.openstack(
            '--os-compute-api-version', '2.55', *HINTED, 'g1'
        )
        self.assert_refused(result, '2.56 or greater', '--hint')
        self.assertEqual([], self.cloud.actions)

    def test_a_refusal_is_one_line(self):
        message = 'host compute2 has no NUMA node 7 (it has 0-3)'
        self.cloud.refusal = (400, message)
        result = self.openstack(*HINTED, '--wait', 'g1')
        self.assert_refused(result)
        self.assertEqual(
            f'{message} (HTTP 400) (Request-ID: {fake_cloud.REQUEST_ID})\n',
            result.stderr,
        )

    def test_a_move_rolled_back_is_a_failure(self):
        self.cloud.looks = [
            {'status': 'RESIZE', 'OS-EXT-STS:task_state': 'resize_prep'},
            {},
        ]
        self.cloud.events = [
            {
                'event': 'compute_prep_resize',
                'result': 'Error',
                'start_time': '2026-01-01T00:00:00.000000',
                'host': 'compute2',
                'details': 'node 1: needs 4 dedicated CPUs, 2 free',
            }
        ]
        result = self.openstack(*HINTED, '--wait', 'g1')
        self.assert_refused(
            result, 'ACTIVE', 'compute2: node 1: needs 4 dedicated CPUs'
        )

    def test_the_help_names_the_option_and_its_origin(self):
        result = self.openstack('help', 'server', 'migrate')
        self.assertEqual(0, result.returncode, result)
        self.assertIn('--hint <key=value>', result.stdout)
        self.assertIn('nova-numa-migrate plugin', result.stdout)
