# SPDX-License-Identifier: Apache-2.0
"""What Placement is asked for a hinted request, and for no other."""

import fixtures
from nova import context
from nova import objects
from nova import test
import nova.conf
from nova.scheduler import request_filter

from nova_numa_migrate import hint
from nova_numa_migrate import plan
from nova_numa_migrate import scheduler
from nova_numa_migrate.conf import numa_migrate
from nova_numa_migrate.placement import traits
from nova_numa_migrate.scheduler import prefilter


class PrefilterTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        numa_migrate.register_opts(nova.conf.CONF)
        self.context = context.RequestContext('user', 'project')

    def request(self, *nodes, request_id=None):
        spec = objects.RequestSpec(self.context, scheduler_hints={'a': ['b']})
        spec.root_required.add('HW_CPU_X86_AVX')
        if nodes:
            a_plan = plan.Plan(
                request_id or self.context.request_id,
                hint.NodeMap(nodes),
                hint.CheckpointMode.REQUIRED,
            )
            spec.scheduler_hints = a_plan.added_to(spec.scheduler_hints)
        return spec

    def asked(self, spec):
        did = prefilter.require_numa_nodes(self.context, spec)
        asked = spec.root_required - {'HW_CPU_X86_AVX'}
        self.assertIs(bool(asked), did)
        self.assertIn('HW_CPU_X86_AVX', spec.root_required)
        return asked

    def test_the_plugin_and_each_named_node(self):
        expected = traits.asked_by(hint.NodeMap((3, 2)))
        self.assertEqual(expected, self.asked(self.request(3, 2)))

    def test_nothing_without_a_plan_of_this_request(self):
        self.assertEqual(set(), self.asked(self.request()))
        other = self.request(3, request_id='req-of-another')
        self.assertEqual(set(), self.asked(other))

    def test_nothing_where_it_is_switched_off(self):
        self.flags(query_placement_for_numa_nodes=False, group='numa_migrate')
        self.assertEqual(set(), self.asked(self.request(3)))

    def test_the_next_request_starts_from_nothing(self):
        self.asked(self.request(3))
        self.assertEqual(set(), objects.RequestSpec().root_required)

    def test_nova_runs_it_once(self):
        self.useFixture(
            fixtures.MockPatchObject(
                request_filter,
                'ALL_REQUEST_FILTERS',
                list(request_filter.ALL_REQUEST_FILTERS),
            )
        )
        for _ in range(2):
            scheduler.all_filters()
        self.assertEqual(
            1,
            request_filter.ALL_REQUEST_FILTERS.count(
                prefilter.require_numa_nodes
            ),
        )
