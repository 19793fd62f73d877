# SPDX-License-Identifier: Apache-2.0
"""What the API answers to a hinted migrate that it cannot let pass."""

from __future__ import annotations

import pathlib

import fixtures
from nova import policy as nova_policy

from nova_numa_migrate.api import policy
from tests.functional import base


class RefusalsTest(base.NumaMigrateTestCase):
    def setUp(self):
        super().setUp()
        self.server = self.boot(cells=2)
        self.before = self.guest(self.server).memory.boot_id

    def refused(self, status, hints, host=None, api=None):
        """The message of the refusal; the server must not notice it."""
        body = {'migrate': {'host': host, 'os:scheduler_hints': hints}}
        return self.refused_body(status, body, api)

    def refused_body(self, status, body, api=None):
        answer = self.post_action(self.server, body, status, api)
        server = self.admin_api.get_server(self.server['id'])
        self.assertIsNone(server['OS-EXT-STS:task_state'])
        self.assertEqual(['compute1'], self.running_on(self.server))
        self.assertEqual(self.before, self.guest(self.server).memory.boot_id)
        (fault,) = answer.body.values()
        return fault['message']

    def test_the_words_of_a_hint(self):
        for text in ('', 'x', '1;2', '-1,2', '0x1,2', '1,', '0:1,2', '9999,1'):
            message = self.refused(400, {'numa_node': text})
            self.assertIn(f'"{text}"', message)
            self.assertIn('"0:3,1:2"', message)
        for text in ('2,2', '0:1,1:1'):
            message = self.refused(400, {'numa_node': text})
            self.assertIn('named for two guest cells', message)
        for text in ('1', '1,2,3'):
            message = self.refused(400, {'numa_node': text})
            self.assertIn('guest has 2 NUMA cell(s)', message)
        message = self.refused(
            400, {'numa_node': '3,2', 'numa_checkpoint': 'perhaps'}
        )
        self.assertIn('required, preferred, never', message)

    def test_the_form_of_the_body(self):
        hints = {'numa_node': '3,2'}
        for odd in (
            {},
            {'numa_node': 1},
            {'numa_node': None},
            {'numa_node': []},
            {'numa_node': [3, 2]},
            {**hints, 'colour': 'green'},
            {'numa_checkpoint': 'never'},
            'numa_node=3,2',
            None,
        ):
            self.refused(400, odd)
        # What stock Nova refuses stays refused.
        for body in (
            {'migrate': {'os:scheduler_hints': hints, 'colour': 'green'}},
            {'migrate': {'os:scheduler_hints': hints, 'host': 7}},
            {'migrate': 'now'},
        ):
            self.refused_body(400, body)
        beside = {'migrate': None, 'os:scheduler_hints': hints}
        message = self.refused_body(400, beside)
        self.assertIn('Malformed request body', message)

    def test_below_the_microversion_that_reads_the_body(self):
        self.admin_api.microversion = '2.55'
        message = self.refused(400, {'numa_node': '3,2'})
        self.assertIn('2.56', message)

    def test_nodes_and_hosts(self):
        message = self.refused(400, {'numa_node': '0,7'})
        self.assertIn('host compute2 has no NUMA node 7', message)
        self.assertIn('(it has 0-3)', message)
        message = self.refused(400, {'numa_node': '5,7'}, host='compute2')
        self.assertIn('host compute2 has no NUMA node 5,7', message)
        message = self.refused(400, {'numa_node': '3,2'}, host='compute9')
        self.assertIn('compute9', message)
        message = self.refused(400, {'numa_node': '3,7'}, host='compute1')
        self.assertIn('host compute1 has no NUMA node 7', message)
        message = self.refused(400, {'numa_node': '0,1'}, host='compute1')
        self.assertIn('is on host compute1, NUMA node(s) 0,1', message)

    def test_only_an_administrator_may(self):
        owned = self.api.post_server(
            {
                'server': self._build_server(
                    flavor_id=self._create_flavor(
                        vcpu=1,
                        disk=1,
                        ephemeral=0,
                        extra_spec={'hw:numa_nodes': '1'},
                    ),
                    networks='none',
                )
            }
        )
        self.wait_for(owned, 'ACTIVE')
        for api in (self.api, self.api_fixture.reader_api):
            api.microversion = 'latest'
            answer = self.post_migrate(owned, [1], status=403, api=api)
            self.assertIn('os-numa-migrate', str(answer.body))
        self.post_migrate(owned, [1], api=self.admin_api)

    def test_stock_policy_stays_in_force(self):
        rule = 'os_compute_api:os-migrate-server:migrate'
        self.policy.set_rules({rule: '!'}, overwrite=False)
        self.refused(403, {'numa_node': '3,2'})

    def test_a_server_that_is_none(self):
        self.post_migrate({'id': 'e5a3bd04-0b3a'}, [3, 2], status=404)

    def test_the_policy_file_decides_for_both_rules(self):
        self._let_members_migrate()
        self.post_migrate(self.server, [3, 2], api=self._member())

    def test_a_locked_server(self):
        # Nova lets an administrator move it all the same.
        self._let_members_migrate()
        self.post_action(self.server, {'lock': None})
        hints = {'numa_node': '3,2'}
        told = self.refused(409, hints, api=self._member())
        self.assertIn('is locked', told)
        dry_run = {'os-numaMigratePlan': {'os:scheduler_hints': hints}}
        self.assertEqual(told, self.refused_body(409, dry_run, self._member()))

    def _let_members_migrate(self):
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'p.yaml')
        path.write_text(
            '"os_compute_api:os-migrate-server:migrate:host": "role:member"\n'
            '"os_compute_api:os-migrate-server:migrate": "role:member"\n'
            '"os_compute_api:os-numa-migrate:migrate": "role:member"\n'
            '"os_compute_api:os-numa-migrate:plan": "role:member"\n'
        )
        self.flags(group='oslo_policy', policy_file=str(path))
        nova_policy.reset()
        nova_policy.init(suppress_deprecation_warnings=True)
        policy._enforcer.cache_clear()

    def _member(self):
        self.api.microversion = 'latest'
        return self.api

    def test_a_server_on_no_host(self):
        self.flags(shelved_offload_time=0)
        self._shelve_server(self.server, 'SHELVED_OFFLOADED')
        self.post_migrate(self.server, [3, 2], status=409)

    def test_a_server_in_the_wrong_state(self):
        self.post_action(self.server, {'pause': None})
        self.wait_for(self.server, 'PAUSED')
        self.post_migrate(self.server, [3, 2], status=409)

    def test_a_server_that_has_moved_already(self):
        self.hinted_migrate(self.server, [3, 2])
        self.post_migrate(self.server, [1, 0], status=409)
        self.assert_on_nodes(self.server, [3, 2])
