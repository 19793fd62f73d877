# SPDX-License-Identifier: Apache-2.0
"""A migration without a hint is Nova's own, under the plugin as without it."""

from __future__ import annotations

import re

from nova.tests import fixtures as nova_fixtures
from nova.tests.functional.libvirt import test_numa_servers

from tests.functional import base
from tests.functional import fake_hosts
from tests.functional import paste
from tests.functional import plugin

_UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')


class SameAsStockTest(base.NumaMigrateTestCase):
    """One scenario, recorded under stock services and under the plugin's."""

    HOSTS = ('compute1', 'compute2')

    def setUp(self):
        super().setUp()
        self.start_stock_compute('stock1', host_info=base.four_nodes())
        self.start_stock_compute('stock2', host_info=base.four_nodes())

    def _use_stock_api(self):
        self.flags(group='wsgi', api_paste_config=str(paste.stock_file()))
        self.api_fixture = self.useFixture(
            # The stub of the first API server is still in its place.
            nova_fixtures.OSAPIFixture('v2.1', stub_keystone=False)
        )
        self.admin_api = self.api_fixture.admin_api
        self.admin_api.microversion = self.microversion

    def _record(self, source, destination, finish):
        """Everything that a plain migration does and shows, as a list."""
        server = self.boot(cells=2, host=source)
        calls = self.useFixture(fake_hosts.RecordedCallsFixture(self.hosts))
        self.notifier.reset()
        self._migrate_server(server, destination, api=self.admin_api)
        seen = [self._look(server)]
        finish(server)
        seen.append(self._look(server))
        names = {server['id']: 'SERVER', source: 'SRC', destination: 'DST'}
        return self._neutral([calls.made, self._notifications(), seen], names)

    def _look(self, server):
        shown = self.admin_api.get_server(server['id'])
        return (
            {
                name: shown[name]
                for name in (
                    'status',
                    'OS-EXT-STS:vm_state',
                    'OS-EXT-STS:task_state',
                    'OS-EXT-SRV-ATTR:host',
                    'scheduler_hints',
                )
            },
            [(e['event'], e['result']) for e in self.actions_of(server)],
            self.running_on(server),
            self.guest(server).memory.counter,
            self.guest(server)._defined.xpath('count(//*)'),
            sorted(self.instance(server).system_metadata),
        )

    def _notifications(self):
        return [
            (
                notification['publisher_id'],
                notification['event_type'],
                notification['payload']['nova_object.data'].get('state'),
                notification['payload']['nova_object.data'].get('task_state'),
            )
            for notification in self.notifier.versioned_notifications
            if notification['event_type'].startswith('instance.')
            # The creation's last one comes when the server is ACTIVE already.
            and not notification['event_type'].startswith('instance.create.')
        ]

    def _neutral(self, recorded, names):
        text = repr(recorded)
        for name, neutral in names.items():
            text = text.replace(name, neutral)
        return _UUID.sub('UUID', text).replace('), (', '),\n(')

    def _assert_same(self, finish):
        ours = self._record('compute1', 'compute2', finish)
        # A scenario that was not recorded would be the same as any other.
        self.assertIn('migrate_disk_and_power_off', ours)
        self.assertIn('instance.resize_finish.end', ours)
        self._use_stock_api()
        stock = self._record('stock1', 'stock2', finish)
        self.assertEqual(stock, ours)

    def test_confirmed(self):
        self._assert_same(self.confirm)

    def test_reverted(self):
        self._assert_same(self.revert)


class NovaNumaTest(plugin.PluginMixin, test_numa_servers.NUMAServersTestBase):
    """Nova's own tests of moves, with the plugin in place."""

    theirs = test_numa_servers.NUMAServersTest

    _run_build_test = theirs._run_build_test
    _inspect_filter_numa_topology = theirs._inspect_filter_numa_topology
    _inspect_request_spec = theirs._inspect_request_spec
    _assert_pinned_cpus = theirs._assert_pinned_cpus
    _create_server_and_resize_bug_1944759 = (
        theirs._create_server_and_resize_bug_1944759
    )
    test_resize_revert = theirs.test_resize_revert_server_with_numa
    test_resize_vcpu_to_pcpu = theirs.test_resize_vcpu_to_pcpu
    test_resize_bug_1879878 = theirs.test_resize_bug_1879878
    test_resize_confirm_bug_1944759 = theirs.test_resize_confirm_bug_1944759
    test_resize_revert_bug_1944759 = theirs.test_resize_revert_bug_1944759
    test_resize_race_bug_1953359 = (
        theirs.test_resize_dedicated_policy_race_on_dest_bug_1953359
    )

    del theirs


class NovaNetworksTest(
    plugin.PluginMixin, test_numa_servers.NUMAServersWithNetworksTest
):
    """Nova's own test of a cold migration with a physical network."""

    # Those that boot only, or attach.
    test_attach_interface_with_network_affinity_violation = None
    test_create_server_with_multiple_physnets = None
    test_create_server_with_multiple_physnets_fail = None
    test_create_server_with_physnet_and_tunneled_net = None
    test_create_server_with_single_physnet = None
