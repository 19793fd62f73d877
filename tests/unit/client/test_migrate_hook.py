# SPDX-License-Identifier: Apache-2.0
"""The hook on the stock command, with python-openstackclient's fakes."""

import sys
from unittest import mock

from openstack.compute.v2 import server as sdk_server
from openstackclient.compute.v2 import server
from openstackclient.tests.unit import utils as osc_test_utils
from openstackclient.tests.unit.compute.v2 import fakes
from osc_lib import exceptions

from nova_numa_migrate.client import outcome
from tests.unit.client import responses

SERVER_ID = '6a3b0c5e-5d2f-4c0e-9f6b-2f0d8e4b7a11'


class MigrateHookTestCase(fakes.TestCompute):
    def setUp(self):
        super().setUp()
        self.set_compute_api_version('2.56')
        self.app.command_manager = mock.Mock(namespace='openstack.cli')
        self.cmd = server.MigrateServer(self.app, None, 'server migrate')
        self.post = self.compute_client.post
        self.post.return_value = responses.response(202)
        self.compute_client.find_server.return_value = sdk_server.Server(
            id=SERVER_ID
        )
        self.compute_client.migrate_server.side_effect = self._migrate
        patcher = mock.patch.object(outcome, 'wait', autospec=True)
        self.wait = patcher.start()
        self.addCleanup(patcher.stop)

    def _migrate(self, server, **kwargs):
        """What the SDK's proxy does."""
        server.migrate(self.compute_client, **kwargs)

    def run_command(self, *argv):
        parsed_args = self.check_parser(self.cmd, [*argv, SERVER_ID], [])
        return self.cmd.run(parsed_args)

    def test_one_value_is_sent_as_a_string(self):
        self.assertEqual(0, self.run_command('--hint', 'numa_node=3,2'))
        body = self.post.call_args.kwargs['json']
        hints = {'numa_node': '3,2'}
        migrate = {'host': None, 'os:scheduler_hints': hints}
        self.assertEqual({'migrate': migrate}, body)

    def test_hints_it_does_not_know_are_the_servers_to_judge(self):
        self.run_command(
            '--hint', 'numa_node=1', '--hint', 'numa_checkpoint=never',
            '--hint', 'colour=blue', '--host', 'h2',
        )  # fmt: skip
        body = self.post.call_args.kwargs['json']
        hints = {
            'numa_node': '1',
            'numa_checkpoint': 'never',
            'colour': 'blue',
        }
        migrate = {'host': 'h2', 'os:scheduler_hints': hints}
        self.assertEqual({'migrate': migrate}, body)

    def test_without_a_hint_all_is_stock(self):
        stock = self.cmd.take_action
        self.run_command('--host', 'h2')
        self.assertEqual(stock, self.cmd.take_action)
        body = self.post.call_args.kwargs['json']
        self.assertEqual({'migrate': {'host': 'h2'}}, body)

    def test_wait_is_the_hooks_own(self):
        self.run_command('--hint', 'numa_node=1', '--wait')
        [(compute, sent, _sleep, show)] = [
            call.args for call in self.wait.mock_calls
        ]
        self.assertIs(self.compute_client, compute)
        self.assertEqual(SERVER_ID, sent.server_id)
        self.assertEqual(responses.REQUEST_ID, sent.request_id)
        self.compute_client.get_server.assert_not_called()
        # The test's standard error is no terminal.
        self.assertIsNone(show)

    def test_a_terminal_gets_a_progress_bar(self):
        self.app.stderr = mock.Mock(spec=sys.stderr)
        self.app.stderr.isatty.return_value = True
        self.run_command('--hint', 'numa_node=1', '--wait')
        ((_, _, _, show), _) = self.wait.call_args
        self.assertTrue(callable(show))
        self.assertEqual('', self.app.stdout.make_string())

    def test_no_wait_does_not_wait(self):
        self.run_command('--hint', 'numa_node=1')
        self.wait.assert_not_called()

    def test_refusal_of_the_api_is_one_clean_line(self):
        message = 'host h2 has no NUMA node 7\n(it has 0-3)'
        self.post.return_value = responses.response(409, message)
        error = self.assertRaises(
            exceptions.CommandError,
            self.run_command, '--hint', 'numa_node=7', '--wait',
        )  # fmt: skip
        self.assertEqual(
            'host h2 has no NUMA node 7 (it has 0-3) (HTTP 409) '
            f'(Request-ID: {responses.REQUEST_ID})',
            str(error),
        )
        self.wait.assert_not_called()

    def assert_nothing_sent(self, words, *argv):
        error = self.assertRaises(
            exceptions.CommandError, self.run_command, *argv
        )
        self.assertIn(words, str(error))
        self.post.assert_not_called()

    def test_live_migration_is_refused(self):
        self.assert_nothing_sent(
            '--live-migration', '--hint', 'numa_node=1', '--live-migration'
        )

    def test_old_microversion_is_refused(self):
        self.set_compute_api_version('2.55')
        self.assert_nothing_sent(
            '--os-compute-api-version 2.56', '--hint', 'numa_node=1'
        )

    def test_hint_without_a_value_is_a_usage_error(self):
        self.assertRaises(
            osc_test_utils.ParserException,
            self.run_command, '--hint', 'numa_node',
        )  # fmt: skip
