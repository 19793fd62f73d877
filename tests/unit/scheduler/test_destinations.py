# SPDX-License-Identifier: Apache-2.0
"""A request that finds no host has its reasons told, and fails as ever."""

from unittest import mock

import fixtures
from nova import context
from nova import exception
from nova import objects
from nova import test
from nova.scheduler import manager
import oslo_messaging
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import plan
from nova_numa_migrate import scheduler as numa_scheduler
from nova_numa_migrate.scheduler import destinations
from nova_numa_migrate.scheduler import event
from nova_numa_migrate.scheduler import misses


class DestinationsTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.context = context.RequestContext('user', 'project')
        self.spec = objects.RequestSpec(
            instance_uuid=uuids.instance,
            scheduler_hints=plan.Plan(
                self.context.request_id,
                hint.NodeMap((1,)),
                hint.CheckpointMode.REQUIRED,
            ).added_to({}),
        )
        self.error = exception.NoValidHost(reason='')
        self.told = []
        self.patch(destinations, '_NOVAS', self.novas)
        self.patch(misses, 'of_request', lambda *args: iter(args))
        self.patch(
            event,
            'tell',
            lambda _, uuid, found: (
                self.told.append((uuid, *found)) or self.untold
            ),
        )
        self.untold = []
        self.scheduler = mock.create_autospec(manager.SchedulerManager)
        self.scheduler.host_manager = 'hosts'

    def patch(self, target, name, new):
        self.useFixture(fixtures.MockPatchObject(target, name, new))

    @oslo_messaging.expected_exceptions(exception.NoValidHost)
    def novas(self, scheduler, request, instances, *, spec_obj):
        self.assertIs(self.scheduler, scheduler)
        self.assertIs(self.context, request)
        if self.error:
            raise self.error
        return instances

    def select(self):
        return destinations.select_destinations(
            self.scheduler, self.context, ['a'], spec_obj=self.spec
        )

    def test_a_host_that_is_found(self):
        self.error = None
        self.assertEqual(['a'], self.select())
        self.assertEqual([], self.told)

    def test_none(self):
        self.assertRaises(oslo_messaging.ExpectedException, self.select)
        ((uuid, hosts, _placement, request, spec, a_plan),) = self.told
        self.assertEqual((uuids.instance, 'hosts'), (uuid, hosts))
        self.assertIs(self.context, request)
        self.assertIs(self.spec, spec)
        self.assertEqual((1,), a_plan.node_map.nodes)

    def test_a_server_that_has_no_action_yet(self):
        self.untold = ['compute1 is full', 'and 2 more hosts']
        error = self.assertRaises(
            oslo_messaging.ExpectedException, self.select
        )
        kind, refusal, _ = error.exc_info
        self.assertIs(exception.NoValidHost, kind)
        self.assertEqual(
            'No valid host was found. compute1 is full; and 2 more hosts',
            refusal.format_message(),
        )

    def test_none_without_a_plan(self):
        self.spec.scheduler_hints = {}
        self.assertRaises(oslo_messaging.ExpectedException, self.select)
        self.assertEqual([], self.told)

    def test_another_failure(self):
        self.error = exception.CellTimeout()
        self.assertRaises(exception.CellTimeout, self.select)
        self.assertEqual([], self.told)

    def test_novas_scheduler_has_it(self):
        self.patch(manager.SchedulerManager, 'select_destinations', None)
        numa_scheduler.all_filters()
        self.assertIs(
            destinations.select_destinations,
            manager.SchedulerManager.select_destinations,
        )
