# SPDX-License-Identifier: Apache-2.0
"""The plan on a RequestSpec: one request's, and nobody else's."""

import ddt
import testtools

from nova_numa_migrate import hint
from nova_numa_migrate import plan

REQUEST = 'req-1'
OTHER = 'req-2'
PLAN = plan.Plan(REQUEST, hint.NodeMap((3, 2)), hint.CheckpointMode.PREFERRED)


@ddt.ddt
class PlanTestCase(testtools.TestCase):
    def test_as_it_travels(self):
        self.assertEqual(
            {'numa_migrate:plan': ['req-1', '3,2', 'preferred']},
            PLAN.added_to(None),
        )
        values = PLAN.added_to(None)[plan.PLAN_KEY]
        # RequestSpec.scheduler_hints takes nothing but texts.
        self.assertEqual({True}, {isinstance(v, str) for v in values})

    @ddt.data(None, {}, {'group': ['g']})
    def test_its_request_has_it(self, hints):
        carried = PLAN.added_to(hints)
        self.assertEqual(PLAN, plan.Plan.of(carried, REQUEST))

    @ddt.data(OTHER, None, '', 'req-', 'req-11')
    def test_no_other_request_has_it(self, request):
        self.assertIsNone(plan.Plan.of(PLAN.added_to({}), request))

    def test_other_hints_travel_along_and_the_given_ones_stay(self):
        hints = {'group': ['g'], plan.PLAN_KEY: [OTHER, '1', 'never']}
        before = dict(hints)
        carried = PLAN.added_to(hints)
        self.assertEqual(['g'], carried['group'])
        self.assertEqual(PLAN, plan.Plan.of(carried, REQUEST))
        self.assertIsNone(plan.Plan.of(carried, OTHER))
        self.assertEqual(before, hints)

    @ddt.data(
        [],
        ['', '', ''],
        [OTHER, '1', 'never'],
        [OTHER, 'garbage', 'x'],
        [REQUEST],
        [REQUEST, '1'],
        [REQUEST, '1', 'never', ''],
        [REQUEST, 1, 'never'],
        [REQUEST, ['1'], 'never'],
        [REQUEST, '1', None],
        [None, '1', 'never'],
        [[], {}, 5],
        REQUEST,
        'abc',
        '',
        0,
        5,
        None,
        True,
        {'a': 1, 'b': 2, 'c': 3},
    )
    def test_what_is_foreign_is_no_plan_and_no_error(self, value):
        for request in (REQUEST, None):
            self.assertIsNone(plan.Plan.of({plan.PLAN_KEY: value}, request))

    @ddt.data(['x', 'never'], ['1', 'x'], ['1,1', 'never'], ['', ''])
    def test_ones_own_plan_that_cannot_be_read_is_an_error(self, value):
        self.assertRaises(
            hint.InvalidHint,
            plan.Plan.of,
            {plan.PLAN_KEY: [REQUEST, *value]},
            REQUEST,
        )

    def test_no_hints_no_plan(self):
        self.assertIsNone(plan.Plan.of(None, REQUEST))
        self.assertIsNone(plan.Plan.of({}, REQUEST))

    def test_without_plan(self):
        hints = PLAN.added_to({'group': ['g']})
        self.assertEqual({'group': ['g']}, plan.without_plan(hints))
        self.assertIn(plan.PLAN_KEY, hints)
        self.assertEqual({}, plan.without_plan(None))
