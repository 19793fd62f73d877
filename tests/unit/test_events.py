# SPDX-License-Identifier: Apache-2.0
"""A reason in full, whatever Nova keeps of it."""

import ddt
import fixtures
from nova import context
from nova import exception
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import events

CREATE = 'nova.objects.InstanceActionEvent.create'
TEXT = 'é' * 200
NODES = exception.MigrationPreCheckError(reason='node 1 is short')


@ddt.ddt
class EventsTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.context = context.RequestContext('user', 'project')
        self.made = []
        self.stub_out(CREATE, lambda *args: self.made_one(*args))

    def made_one(self, event, instance, request):
        self.assertEqual(uuids.instance, instance)
        self.assertEqual(self.context.request_id, request)
        self.made.append(event)

    def told(self):
        [event] = self.made
        return event

    def test_all_of_the_reason_is_kept(self):
        events.failed(self.context, uuids.instance, 'h1', 'why', TEXT)
        event = self.told()
        self.assertEqual(TEXT, event.details)
        self.assertEqual(('why', 'h1'), (event.event, event.host))
        self.assertEqual('Error', event.result)
        self.assertEqual(event.start_time, event.finish_time)

    @ddt.data(
        (NODES, 'Migration pre-check error: node 1 is short'),
        (ValueError('no such CPU'), 'ValueError: no such CPU'),
    )
    @ddt.unpack
    def test_an_error_is_told(self, error, text):
        events.tell(self.context, uuids.instance, 'h1', 'why', error)
        self.assertEqual(text, self.told().details)

    def test_a_database_that_does_not_take_it(self):
        self.stub_out(CREATE, self.is_down)
        log = self.useFixture(fixtures.FakeLogger())
        events.tell(self.context, uuids.instance, 'h1', 'why', NODES)
        self.assertIn('node 1 is short', log.output)

    @staticmethod
    def is_down(*args):
        raise ValueError('down')

    def test_nova_shows_its_own_errors_alone(self):
        rollback = events.rollback(NODES)
        self.assertIs(NODES, rollback.inner_exception)
        rollback = events.rollback(ValueError('no such CPU'))
        self.assertEqual(
            'Migration error: ValueError: no such CPU',
            rollback.inner_exception.format_message(),
        )
