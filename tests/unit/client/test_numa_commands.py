# SPDX-License-Identifier: Apache-2.0
"""The commands about nodes, against the answers that the API documents.

The start of the command costs a second or more, and a further line of its
shell next to nothing.
"""

import json

from tests.unit import sources
from tests.unit.client import fake_cloud
from tests.unit.client import test_command

SAMPLES = sources.ROOT / 'doc/source/api/samples'
NODES = '/os-numa-nodes'
NODE = f'{NODES}/compute2'
PLACEMENT = f'/servers/{fake_cloud.SERVER_ID}/os-numa-placement'


def documents(text):
    """The JSON documents in a text, one behind the other."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:]


class NumaCommandsTestCase(test_command.CloudTestCase):
    def answer(self, path, sample):
        """The cloud answers as the documentation shows it."""
        text = (SAMPLES / f'{sample}.json').read_text()
        self.cloud.answers[path] = json.loads(text)
        return self.cloud.answers[path]

    def shell(self, *commands):
        """What one shell prints and warns of."""
        result = self.openstack(commands='\n'.join([*commands, 'exit', '']))
        return result.stdout, result.stderr

    def two_pages(self):
        """The second of a host that tells nothing."""
        first = self.answer(NODES, 'numa-nodes-list')
        (link,) = first['numa_hosts_links']
        link['href'] = f'{self.cloud.url}/v2.1/more-nodes?marker=compute2'
        second = self.answer('/more-nodes', 'numa-nodes-list')
        second.pop('numa_hosts_links')
        second['numa_hosts'][0].update(
            host='compute3', numa_nodes=[], error='cell2 does not answer'
        )

    def test_to_programs(self):
        self.two_pages()
        self.answer(NODE, 'numa-nodes-show')
        self.answer(PLACEMENT, 'numa-placement-show')
        out, err = self.shell(
            'numa node list -f json',
            'numa node show compute2 3 -f json',
            'server numa show g1 -f json',
        )
        nodes, node, cells = documents(out)
        self.assertEqual([0, 1, 2, 3], [row['Node'] for row in nodes])
        self.assertEqual([0, 0, 1, 1], [row['Guest Cells'] for row in nodes])
        self.assertEqual([9, 10], nodes[3]['Dedicated Used'])
        self.assertEqual('compute2', node['host'])
        self.assertEqual(3584, node['memory_free_mb'])
        self.assertEqual(10, node['distances']['3'])
        self.assertEqual(0, node['guests'][0]['cell'])
        self.assertEqual([3, 2], [cell['Host Node'] for cell in cells])
        self.assertEqual({'0': 9, '1': 10}, cells[0]['Pinned CPUs'])
        self.assertEqual(1.0, cells[0]['On Host Node'])
        self.assertEqual('host compute3: cell2 does not answer\n', err)

    def test_to_people(self):
        self.two_pages()
        self.answer(NODE, 'numa-nodes-show')
        placement = self.answer(PLACEMENT, 'numa-placement-show')
        placement['numa_placement']['error'] = 'nova-compute is down'
        out, err = self.shell(
            'numa node list -c Host -c Node',
            'numa node show compute2 3',
            'server numa show g1',
            'numa node show compute2 7',
        )
        for words in (
            '| compute2 |    3 |',
            '4K: 917678 of 1048750 free',
            '0: 20, 1: 20, 2: 12, 3: 10',
            'cell 0: 512 MB',
            '0: 9, 1: 10',
            '3: 131072',
            '100.0%',
        ):
            self.assertIn(words, out)
        for words in (
            'not now: nova-compute is down',
            'host compute2 has no NUMA node 7 (it has 0-3)',
        ):
            self.assertIn(words, err)

    def test_a_plan(self):
        answer = self.answer('/action', 'migrate-plan')
        answer['numa_migrate_plan']['hosts_omitted'] = 4
        out, err = self.shell(
            'server numa plan --hint numa_node=3,2 --host h2 g1 -f json',
            'server migrate --hint numa_node=3,2 --host h2 --dry-run g1',
            'server migrate --hint numa_node=1 --dry-run g1 -f value -c Host',
            'server numa plan g1',
            'server migrate --dry-run g1',
        )
        (rows, end) = json.JSONDecoder().raw_decode(out)
        self.assertEqual([True, False, False], [row['Fits'] for row in rows])
        self.assertEqual([3, 2], rows[0]['Host Nodes'])
        reason = 'compute2 node 3: needs 2 dedicated CPUs, 0 free'
        self.assertEqual([reason], rows[1]['Reasons'])
        self.assertIn('| compute3 | yes  | 3,2 ', out[end:])
        self.assertIn(reason, out[end:])
        self.assertIn('4 more hosts are not shown', err)
        self.assertIn('--dry-run is for migrations with --hint', err)
        hints = {'os:scheduler_hints': {'numa_node': '3,2'}, 'host': 'h2'}
        self.assertIn('\ncompute3\ncompute2\nstock1\n', out[end:])
        one = {'os:scheduler_hints': {'numa_node': '1'}, 'host': None}
        none = {'os:scheduler_hints': {}, 'host': None}
        self.assertEqual(
            [
                {'os-numaMigratePlan': body}
                for body in (hints, hints, one, none)
            ],
            [body for body, _version in self.cloud.actions],
        )

    def test_one_host(self):
        answer = self.answer(NODES, 'numa-nodes-list')
        answer.pop('numa_hosts_links')
        answer['numa_hosts'].clear()
        result = self.openstack('numa', 'node', 'list', '--host', 'compute2')
        self.assert_refused(result, 'there is no compute host compute2')
        self.assertIn('host=compute2', self.cloud.queries)

    def test_a_cloud_without_the_plugin(self):
        result = self.openstack('numa', 'node', 'show', 'compute2', '1')
        self.assert_refused(result, 'is nova-numa-migrate installed')

    def test_the_help(self):
        out, err = self.shell(
            'help numa node list',
            'help numa node show',
            'help server numa show',
        )
        self.assertEqual('', err)
        for words in ('--host <host>', '<node>', '<server>', '-f {json'):
            self.assertIn(words, out)
