# SPDX-License-Identifier: Apache-2.0
"""The plan on its way from the request to the conductor."""

from unittest import mock

import ddt
import fixtures
from nova import exception
from nova import objects
from nova import test
from nova.api.openstack.compute import migrate_server as novas
from nova.compute import api as novas_compute_api
from nova.conductor import api as conductor_api
from nova.tests.unit.api.openstack import fakes

from nova_numa_migrate import hint
from nova_numa_migrate import plan
from nova_numa_migrate.api import compute_api
from nova_numa_migrate.api import migrate_server


@ddt.ddt
class HandOverTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.context = fakes.HTTPRequest.blank('').environ['nova.context']
        self.instance = objects.Instance(host='compute1', node='node1')
        self.spec = self.a_spec(scheduler_hints={'group': ['g']})
        self.sent = []
        self.useFixture(
            fixtures.MonkeyPatch(
                'nova.conductor.api.ComputeTaskAPI.resize_instance',
                lambda *args, **kwargs: self.sent.append((args[1:], kwargs)),
            )
        )
        self.plan = plan.Plan(
            self.context.request_id,
            hint.NodeMap((3, 2)),
            hint.CheckpointMode.NEVER,
        )

    def a_spec(self, host=None, **fields):
        """As Nova's API leaves it: the present host is to be ignored."""
        named = {} if host is None else {'host': host}
        return objects.RequestSpec(
            requested_destination=objects.Destination(**named),
            ignore_hosts=['compute1'],
            **fields,
        )

    def send(self):
        compute_api.PlannedTaskAPI().resize_instance(
            self.context,
            self.instance,
            'hint',
            flavor='f',
            request_spec=self.spec,
        )
        self.assertEqual(
            [
                (
                    (self.context, self.instance, 'hint'),
                    {'flavor': 'f', 'request_spec': self.spec},
                )
            ],
            self.sent,
        )
        return self.spec.scheduler_hints

    def test_the_plan_gets_on(self):
        compute_api.hand_over(self.context, self.plan)
        hints = self.send()
        self.assertEqual(['g'], hints['group'])
        self.assertEqual(
            self.plan, plan.Plan.of(hints, self.context.request_id)
        )

    def test_also_where_there_were_no_hints(self):
        self.spec = self.a_spec()
        compute_api.hand_over(self.context, self.plan)
        self.assertIn(plan.PLAN_KEY, self.send())

    def test_an_older_one_gets_off(self):
        self.spec.scheduler_hints = self.plan.added_to({'group': ['g']})
        self.assertEqual({'group': ['g']}, self.send())

    def test_without_any_nothing_is_changed(self):
        self.spec.obj_reset_changes()
        self.send()
        self.assertEqual(set(), self.spec.obj_what_changed())

    def test_the_present_host_is_admitted_where_it_is_named(self):
        compute_api.hand_over(self.context, self.plan)
        self.spec = self.a_spec('compute1')
        self.send()
        self.assertEqual([], self.spec.ignore_hosts)

    @ddt.data(None, 'compute2')
    def test_it_is_ignored_where_it_is_not(self, host):
        compute_api.hand_over(self.context, self.plan)
        self.spec = self.a_spec(host)
        self.send()
        self.assertEqual(['compute1'], self.spec.ignore_hosts)

    def test_it_is_ignored_without_a_plan(self):
        self.spec = self.a_spec('compute1', scheduler_hints=None)
        self.send()
        self.assertEqual(['compute1'], self.spec.ignore_hosts)

    def validate(self, host):
        with mock.patch.object(
            objects.ComputeNode, 'get_by_host_and_nodename', autospec=True
        ) as get:
            found = (
                compute_api.PlannedComputeAPI()._validate_host_for_cold_migrate
            )(self.context, self.instance, host, False)
            get.assert_called_once_with(self.context, 'compute1', 'node1')
            self.assertIs(get.return_value, found)

    def test_a_plan_may_name_the_present_host(self):
        compute_api.hand_over(self.context, self.plan)
        self.validate('compute1')

    def test_without_one_nova_refuses_it(self):
        self.assertRaises(
            exception.CannotMigrateToSameHost, self.validate, 'compute1'
        )

    def test_another_host_is_novas_to_find(self):
        compute_api.hand_over(self.context, self.plan)
        with mock.patch.object(
            novas_compute_api.API,
            '_validate_host_for_cold_migrate',
            autospec=True,
        ) as theirs:
            api = compute_api.PlannedComputeAPI()
            api._validate_host_for_cold_migrate(
                self.context, self.instance, 'compute2', True
            )
        theirs.assert_called_once_with(
            self.context, self.instance, 'compute2', True
        )

    @ddt.data(True, False)
    def test_novas_policy_says_whether_a_move_may_leave_its_cell(self, says):
        self.assertIs(says, self.may_leave_its_cell(says))

    def test_with_a_plan_it_may_not(self):
        compute_api.hand_over(self.context, self.plan)
        self.assertFalse(self.may_leave_its_cell(True))

    def may_leave_its_cell(self, says):
        with mock.patch.object(
            novas_compute_api.API,
            '_allow_cross_cell_resize',
            autospec=True,
            return_value=says,
        ):
            return compute_api.PlannedComputeAPI()._allow_cross_cell_resize(
                self.context, self.instance, 70
            )

    def test_no_context_is_serialized_with_it(self):
        compute_api.hand_over(self.context, self.plan)
        self.assertNotIn(compute_api._ATTRIBUTE, self.context.to_dict())

    def test_the_controller_has_it(self):
        controller = migrate_server.NumaMigrateServerController()
        self.assertIsInstance(
            controller.compute_api.compute_task_api, compute_api.PlannedTaskAPI
        )
        self.assertIsInstance(controller, novas.MigrateServerController)
        self.assertTrue(
            issubclass(
                compute_api.PlannedTaskAPI, conductor_api.ComputeTaskAPI
            )
        )
