# SPDX-License-Identifier: Apache-2.0
"""Who may what, by default and by the operator's file."""

import pathlib

import ddt
import fixtures
from nova import context
from nova import exception
from nova import test
from oslo_config import cfg
from oslo_policy import generator
import testtools

from nova_numa_migrate import policies
from nova_numa_migrate.api import policy
from tests.unit import sources

RULES = [rule.name for rule in policies.list_rules()]


def caller(*roles):
    """A caller of another project than the server's owner too."""
    return context.RequestContext(
        'user', 'project', roles=list(roles), is_admin='admin' in roles
    )


@ddt.ddt
class DefaultsTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        policy._enforcer.cache_clear()
        self.addCleanup(policy._enforcer.cache_clear)

    def authorize(self, rule, *roles):
        policy.authorize(caller(*roles), rule, {'project_id': 'project'})

    @ddt.data(*RULES)
    def test_an_administrator_may(self, rule):
        self.authorize(rule, 'admin', 'member', 'reader')

    @ddt.data(
        *(
            (rule, roles)
            for rule in RULES
            for roles in (
                ('member', 'reader'),
                ('manager', 'member', 'reader'),
                ('reader',),
                ('service',),
                (),
            )
        )
    )
    @ddt.unpack
    def test_nobody_else_may(self, rule, roles):
        error = self.assertRaises(
            exception.PolicyNotAuthorized, self.authorize, rule, *roles
        )
        self.assertEqual(403, error.code)
        self.assertIn(rule, str(error))

    @ddt.data(*RULES)
    def test_novas_policy_file_may_say_otherwise(self, rule):
        directory = self.useFixture(fixtures.TempDir()).path
        file = pathlib.Path(directory) / 'policy.yaml'
        file.write_text(f'"{rule}": "role:member"\n')
        self.flags(policy_file=str(file), group='oslo_policy')
        self.authorize(rule, 'member')
        self.assertRaises(
            exception.PolicyNotAuthorized, self.authorize, rule, 'reader'
        )


class SampleTestCase(testtools.TestCase):
    def test_every_module_of_rules_is_listed(self):
        modules = sources.files('nova_numa_migrate/policies/*.py')
        names = {path.stem for path in modules} - {'__init__'}
        self.assertEqual(
            names,
            {
                module
                for module in names
                for rule in getattr(policies, module).RULES
                if rule.name in RULES
            },
        )

    def test_every_rule_is_in_the_sample_with_its_help(self):
        sample = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / 's'
        generator.generate_sample(
            [
                '--namespace',
                'nova_numa_migrate',
                '--output-file',
                str(sample),
            ],
            # Not the process's own, which the other tests need unparsed.
            cfg.ConfigOpts(),
        )
        text = sample.read_text()
        for rule in policies.list_rules():
            self.assertIn(f'#"{rule.name}": "{rule.check_str}"', text)
            self.assertIn(f'# {rule.description[:40]}', text)
            for operation in rule.operations:
                self.assertIn(
                    f'# {operation["method"]}  {operation["path"]}', text
                )

    def test_the_generators_file_names_the_namespace(self):
        path = 'etc/nova-numa-migrate/policy-generator.conf'
        self.assertIn(
            'namespace = nova_numa_migrate', (sources.ROOT / path).read_text()
        )
