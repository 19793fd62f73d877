# SPDX-License-Identifier: Apache-2.0
"""Hosts say in Placement which nodes they have; no other is looked at."""

from __future__ import annotations

from unittest import mock

from nova import context as nova_context
from nova import objects
from nova.tests.fixtures import libvirt as fakelibvirt

from nova_numa_migrate.placement import traits
from nova_numa_migrate.scheduler import filter as numa_filter
from tests.functional import base


def two_nodes():
    """As many CPUs as the others have in four: their settings are one."""
    return fakelibvirt.HostInfo(
        cpu_nodes=2, cpu_sockets=1, cpu_cores=6, cpu_threads=1
    )


class TraitsTest(base.NumaMigrateTestCase):
    def setUp(self):
        super().setUp()
        self.start_compute('small', host_info=two_nodes())
        self.start_stock_compute('stock1', host_info=two_nodes())
        self.seen = []
        novas = numa_filter.NumaMigrateFilter.filter_all

        def spy(this, hosts, spec):
            hosts = list(hosts)
            self.seen.append({host.host for host in hosts})
            return novas(this, hosts, spec)

        patcher = mock.patch.object(
            numa_filter.NumaMigrateFilter, 'filter_all', spy
        )
        patcher.start()
        self.addCleanup(patcher.stop)

    def traits_of(self, host):
        provider = self.compute_rp_uuids[host]
        return traits.ours(self._get_provider_traits(provider))

    def test_what_each_host_says(self):
        self.assertEqual(traits.of_host(range(4)), self.traits_of('compute1'))
        self.assertEqual(traits.of_host(range(2)), self.traits_of('small'))
        self.assertEqual(set(), self.traits_of('stock1'))

    def test_a_node_that_is_gone(self):
        driver = self.computes['compute1'].driver
        topology = driver._get_host_numa_topology()
        topology.cells = topology.cells[:3]
        with mock.patch.object(
            driver,
            '_get_host_numa_topology',
            autospec=True,
            return_value=topology,
        ):
            self._run_periodics()
            self.assertEqual(
                traits.of_host(range(3)), self.traits_of('compute1')
            )
        self._run_periodics()
        self.assertEqual(traits.of_host(range(4)), self.traits_of('compute1'))

    def test_other_hosts_are_not_looked_at(self):
        server = self.boot(cells=2)
        with self.assert_goes_on(server):
            self.seen.clear()
            self.hinted_migrate(server, [3, 2])
        self.assertEqual([{'compute2'}], self.seen)
        self.confirm(server)
        spec = objects.RequestSpec.get_by_instance_uuid(
            nova_context.get_admin_context(), server['id']
        )
        self.assertEqual(set(), spec.root_required)
        # The next request is not bound: it is for anywhere else.
        self.seen.clear()
        self._migrate_server(server, api=self.admin_api)
        self.assertEqual([{'compute1', 'small', 'stock1'}], self.seen)

    def test_the_present_host_where_it_is_named(self):
        server = self.boot(cells=2)
        self.seen.clear()
        with self.assert_goes_on(server):
            self.hinted_migrate(server, [3, 2], host='compute1')
        self.assertEqual([{'compute1'}], self.seen)
        self.assert_guest_on_nodes(server, [3, 2])

    def test_where_it_is_switched_off(self):
        self.flags(query_placement_for_numa_nodes=False, group='numa_migrate')
        server = self.boot(cells=2)
        self.seen.clear()
        self.hinted_migrate(server, [3, 2])
        self.assertEqual([{'compute2', 'small', 'stock1'}], self.seen)
        self.assertEqual('compute2', self.host_of(server))
