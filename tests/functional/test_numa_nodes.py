# SPDX-License-Identifier: Apache-2.0
"""What the API tells of the hosts' nodes."""

from __future__ import annotations

from unittest import mock

from nova import context as nova_context
from nova import exception
from nova import objects

from tests.functional import base
from tests.functional import samples

DISTANCES = [
    [10, 12, 20, 20],
    [12, 10, 20, 20],
    [20, 20, 10, 12],
    [20, 20, 12, 10],
]


class NodesTestCase(base.NumaMigrateTestCase):
    def get(self, path='', status=200, api=None):
        answer = (api or self.admin_api).api_get(
            f'/os-numa-nodes{path}', check_response_status=[status]
        )
        return answer.body

    def names(self, **query):
        text = '&'.join(f'{key}={value}' for key, value in query.items())
        return [host['host'] for host in self.get(f'?{text}')['numa_hosts']]


class NumaNodesTest(NodesTestCase):
    def test_a_host_with_a_guest(self):
        self.nodes.set_distances(DISTANCES)
        self._run_periodics()
        server = self.boot(cells=2)
        self.hinted_migrate(server, [3, 2])
        self.confirm(server)
        host = self.get('/compute2')
        names = {server['id']: samples.SERVER}
        samples.check(self, 'numa-nodes-show', host, names)
        listed = self.get('?limit=1&marker=compute1')
        self.assertEqual([host['numa_host']], listed['numa_hosts'])
        (link,) = listed['numa_hosts_links']
        endpoint = link['href'].partition('/os-numa-nodes')[0]
        samples.check(
            self,
            'numa-nodes-list',
            listed,
            {**names, endpoint: 'http://nova.example.com/v2.1'},
        )
        cells = {
            guest['cell']: node['id']
            for node in host['numa_host']['numa_nodes']
            for guest in node['guests']
        }
        self.assertEqual({0: 3, 1: 2}, cells)

    def test_pages_of_hosts(self):
        for name in ('compute3', 'compute10'):
            self.start_compute(name, host_info=base.four_nodes())
        everything = ['compute1', 'compute10', 'compute2', 'compute3']
        self.assertEqual(everything, self.names())
        self.assertEqual(everything, self.names(limit=0))
        self.assertEqual(everything[:3], self.names(limit=3))
        self.assertEqual(
            everything[2:], self.names(limit=3, marker='compute10')
        )
        self.assertEqual([], self.names(marker='compute3'))
        self.assertEqual(['compute2'], self.names(host='compute2'))
        self.assertEqual([], self.names(host='compute9'))
        seen, query = [], '?limit=1'
        while query:
            answer = self.get(query)
            seen += [host['host'] for host in answer['numa_hosts']]
            (link,) = answer.get('numa_hosts_links', [{'href': ''}])
            query = link['href'].partition('os-numa-nodes')[2]
        self.assertEqual(everything, seen)

    def test_what_is_refused(self):
        for path, status, words in (
            ('?marker=compute9', 400, 'marker [compute9] not found'),
            ('?limit=-1', 400, 'limit'),
            ('?limit=many', 400, 'limit'),
            ('?host=', 400, 'host'),
            ('?host=compute1&host=compute2', 400, 'host'),
            ('?colour=green', 400, 'colour'),
            ('/compute1?colour=green', 400, 'colour'),
            ('/compute9', 404, 'compute9'),
        ):
            (fault,) = self.get(path, status).values()
            self.assertIn(words, fault['message'])

    def test_only_administrators_may(self):
        for api in (self.api, self.api_fixture.reader_api):
            for path in ('', '/compute1'):
                self.assertIn('os-numa-nodes', str(self.get(path, 403, api)))

    def test_a_host_without_the_plugin(self):
        self.start_stock_compute('stock1', host_info=base.four_nodes())
        host = self.get('/stock1')['numa_host']
        self.assertIs(False, host['runs_plugin'])
        self.assertEqual(4, len(host['numa_nodes']))
        self.assertIsNone(host['numa_nodes'][0]['distances'])

    def test_hosts_that_tell_nothing(self):
        node = objects.ComputeNode.get_by_nodename(
            nova_context.get_admin_context(), 'compute1'
        )
        node.numa_topology = None
        node.save()
        host = self.get('/compute1')['numa_host']
        self.assertEqual('it reports no NUMA topology', host['error'])
        self.assertEqual([], host['numa_nodes'])
        node.destroy()
        host = self.get('/compute1')['numa_host']
        self.assertIn('has not reported', host['error'])


class CellsTest(NodesTestCase):
    NUMBER_OF_CELLS = 2

    def setUp(self):
        super().setUp()
        self.start_compute(
            'compute0', host_info=base.four_nodes(), cell_name='cell2'
        )

    def test_hosts_of_all_cells(self):
        hosts = self.get()['numa_hosts']
        self.assertEqual(
            ['compute0', 'compute1', 'compute2'],
            [host['host'] for host in hosts],
        )
        self.assertEqual(
            [4, 4, 4], [len(host['numa_nodes']) for host in hosts]
        )

    def test_a_cell_that_is_down(self):
        ask = objects.InstanceList.get_by_filters

        def fail(context, *args, **kwargs):
            if context.cell_uuid == self.cell_mappings['cell2'].uuid:
                raise exception.CellTimeout
            return ask(context, *args, **kwargs)

        with mock.patch.object(
            objects.InstanceList,
            'get_by_filters',
            autospec=True,
            side_effect=fail,
        ):
            hosts = {host['host']: host for host in self.get()['numa_hosts']}
        self.assertIn('cell2', hosts['compute0']['error'])
        self.assertIn('does not answer', hosts['compute0']['error'])
        self.assertEqual([], hosts['compute0']['numa_nodes'])
        self.assertIsNone(hosts['compute1']['error'])
