# SPDX-License-Identifier: Apache-2.0
"""What the dry run asks of Placement, and what it makes of the answer."""

from unittest import mock
from urllib import parse

import ddt
from keystoneauth1 import exceptions as ks_exceptions
from nova import context
from nova import objects
import nova.conf
from nova.scheduler.client import report
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import shortfall
from nova_numa_migrate.api import candidates
from nova_numa_migrate.conf import numa_migrate
from nova_numa_migrate.exception import PlacementSilent
from tests.unit import patching

HOSTS = {uuids.rp1: 'compute1', uuids.rp2: 'compute2'}


@ddt.ddt
class RefusalsTestCase(patching.PatchingTestCase):
    def setUp(self):
        super().setUp()
        numa_migrate.register_opts(nova.conf.CONF)
        self.context = context.RequestContext('user', 'project')
        self.client = mock.create_autospec(
            report.SchedulerReportClient, instance=True
        )
        self.singleton = self.patch(
            report, 'report_client_singleton', return_value=self.client
        )
        self.answers = [{uuids.rp1: {}}]
        self.asked = []
        self.client.get_allocation_candidates.side_effect = self.answer
        self.patch(
            shortfall,
            'reasons',
            return_value=['it is short'],
        )

    def answer(self, _, request):
        self.asked.append(parse.parse_qs(request.to_querystring()))
        answer = self.answers.pop(0)
        return answer and ([], answer, '1.36')

    def refusals(self, hosts=HOSTS, nodes=(1,), **extra_specs):
        spec = objects.RequestSpec(
            requested_resources=[],
            image=objects.ImageMeta(properties=objects.ImageMetaProps()),
            is_bfv=False,
            flavor=objects.Flavor(
                vcpus=4,
                memory_mb=512,
                root_gb=1,
                ephemeral_gb=0,
                swap=0,
                extra_specs=extra_specs,
            ),
        )
        node_map = nodes and hint.NodeMap(nodes)
        return dict(candidates.refusals(self.context, spec, node_map, hosts))

    def test_those_that_are_not_offered(self):
        self.assertEqual(
            {
                uuids.rp2: [
                    'host compute2 has room on the nodes, but it is short'
                ]
            },
            self.refusals(),
        )
        (query,) = self.asked
        self.assertEqual(
            ['DISK_GB:1,MEMORY_MB:512,VCPU:4'], query['resources']
        )
        self.assertIn('CUSTOM_NUMA_NODE_1', query['root_required'][0])
        self.assertNotIn('limit', query)
        self.assertNotIn('in_tree', query)

    def test_one_host_is_asked_for_alone(self):
        self.assertEqual({}, self.refusals({uuids.rp1: 'compute1'}))
        self.assertEqual([uuids.rp1], self.asked[0]['in_tree'])

    def test_no_host_is_worth_no_question(self):
        self.assertEqual({}, self.refusals({}))
        self.assertEqual([], self.asked)

    def test_no_nodes_no_traits(self):
        self.refusals(nodes=None)
        self.assertNotIn('root_required', self.asked[0])

    def test_no_traits_where_not_every_host_tells_them(self):
        self.flags(query_placement_for_numa_nodes=False, group='numa_migrate')
        self.refusals()
        self.assertNotIn('root_required', self.asked[0])

    def test_a_pinned_guest_may_be_offered_shared_cpus(self):
        self.answers = [{uuids.rp1: {}}, {uuids.rp2: {}}]
        self.assertEqual({}, self.refusals(**{'hw:cpu_policy': 'dedicated'}))
        self.assertIn('PCPU:4', self.asked[0]['resources'][0])
        self.assertIn('VCPU:4', self.asked[1]['resources'][0])

    def test_unless_the_operator_has_none_of_these(self):
        self.flags(disable_fallback_pcpu_query=True, group='workarounds')
        found = self.refusals(**{'hw:cpu_policy': 'dedicated'})
        self.assertEqual([uuids.rp2], list(found))
        self.assertEqual(1, len(self.asked))

    def test_no_host_at_all(self):
        self.answers = [{}]
        # An answer without a host is one.
        self.client.get_allocation_candidates.side_effect = None
        self.client.get_allocation_candidates.return_value = ([], {}, '1.36')
        self.assertEqual(set(HOSTS), set(self.refusals()))

    @ddt.data(None, (None, None, None))
    def test_silence(self, answer):
        self.client.get_allocation_candidates.side_effect = None
        self.client.get_allocation_candidates.return_value = answer
        error = self.assertRaises(PlacementSilent, self.refusals)
        self.assertIn('see the log of nova-api', str(error))

    def test_no_way_to_it(self):
        self.singleton.side_effect = ks_exceptions.ConnectFailure('no route')
        error = self.assertRaises(PlacementSilent, self.refusals)
        self.assertIn('no route. Try again', str(error))
