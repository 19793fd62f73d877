# SPDX-License-Identifier: Apache-2.0
"""The options, and the sample file that oslo's generator makes of them."""

import pathlib

import fixtures
from oslo_config import cfg
from oslo_config import generator
import testtools

from nova_numa_migrate.conf import numa_migrate
from nova_numa_migrate.conf import opts
from tests.unit import sources

GENERATOR = (
    sources.ROOT / 'etc' / 'nova-numa-migrate' / 'config-generator.conf'
)


def every_option():
    return [
        (group.name, option)
        for group, options in opts.list_opts()
        for option in options
    ]


class OptionsTestCase(testtools.TestCase):
    def test_every_option_has_a_help_that_starts_with_a_capital(self):
        for group, option in every_option():
            text = (option.help or '').strip()
            self.assertTrue(text[:1].isupper(), f'[{group}] {option.name}')
            self.assertIn('Used by nova-', text)

    def test_every_module_of_options_is_listed(self):
        modules = sources.files('nova_numa_migrate/conf/*.py')
        names = {path.stem for path in modules} - {'__init__', 'opts'}
        self.assertEqual(names, {group for group, _ in every_option()})

    def test_registering_twice_is_fine(self):
        conf = cfg.ConfigOpts()
        numa_migrate.register_opts(conf)
        numa_migrate.register_opts(conf)
        conf([])
        self.assertEqual('required', conf.numa_migrate.checkpoint)
        self.assertEqual('nova', conf.numa_migrate.transport)

    def test_only_the_three_modes(self):
        conf = cfg.ConfigOpts()
        numa_migrate.register_opts(conf)
        # oslo.config shares what is known of a group between all of these.
        self.addCleanup(conf.clear_override, 'checkpoint', 'numa_migrate')
        for mode in ('required', 'preferred', 'never'):
            conf.set_override('checkpoint', mode, 'numa_migrate')
        self.assertRaises(
            ValueError,
            conf.set_override,
            'checkpoint',
            'maybe',
            'numa_migrate',
        )

    def test_the_path_follows_novas_state_path(self):
        conf = cfg.ConfigOpts()
        conf.register_opt(cfg.StrOpt('state_path', default='/var/lib/nova'))
        numa_migrate.register_opts(conf)
        conf([])
        self.assertEqual(
            '/var/lib/nova/numa_migrate', conf.numa_migrate.checkpoint_path
        )


class SampleTestCase(testtools.TestCase):
    def test_every_option_is_in_the_sample_with_its_help(self):
        sample = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / 's'
        generator.main(
            ['--config-file', str(GENERATOR), '--output-file', str(sample)]
        )
        text = sample.read_text()
        for group, option in every_option():
            self.assertIn(f'\n[{group}]\n', text)
            self.assertIn(f'\n#{option.name} = ', text)
            first = option.help.strip().splitlines()[0]
            self.assertIn(f'# {first[:60]}', text)
