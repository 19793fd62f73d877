# SPDX-License-Identifier: Apache-2.0
"""What was handed to a host is finished once, with or without a message."""

import datetime
from unittest import mock

import ddt
from nova import objects
from nova.compute import task_states
from oslo_utils import timeutils
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.compute import arrivals
from tests.unit.compute import moves

DISKS = '[{"path": "/i/disk"}]'


class ArrivalsTestCase(moves.MovesTestCase):
    def an_instance(
        self,
        state=move.State.SAVED,
        task_state=task_states.RESIZE_MIGRATED,
        age=0,
    ):
        instance = moves.an_instance(
            state and moves.a_move(state, disk_info=DISKS),
            task_state=task_state,
            updated_at=timeutils.utcnow(with_timezone=True)
            - datetime.timedelta(seconds=age),
        )
        instance.system_metadata['image_min_ram'] = '7'
        return instance


@ddt.ddt
class TakeUpTestCase(ArrivalsTestCase):
    def setUp(self):
        super().setUp()
        self.manager = mock.Mock(spec=['finish_resize', 'host'], host='dst')
        self.waiting = self.patch(objects.InstanceList, 'get_by_filters')
        self.know_records()

    def take_up(self, *instances, patience=0):
        self.waiting.return_value = list(instances)
        arrivals.take_up(self.manager, self.context, ['flavor'], patience)
        return self.manager.finish_resize.mock_calls

    def test_only_what_was_handed_to_this_host(self):
        self.take_up()
        filters = self.waiting.call_args.args[1]
        self.assertEqual('dst', filters['host'])
        self.assertEqual(['resize_migrated'], filters['task_state'])
        self.assertEqual(
            {'expected_attrs': ['flavor']}, self.waiting.call_args.kwargs
        )

    @ddt.data(move.State.SAVED, move.State.NONE)
    def test_as_the_message_would_have_it(self, state):
        instance = self.an_instance(state, age=1)
        [call] = self.take_up(instance)
        self.assertEqual((self.context, DISKS), call.args[:2])
        self.assertEqual('7', call.args[2]['min_ram'])
        self.assertEqual(
            (instance, self.migration, mock.sentinel.spec), call.args[3:]
        )

    @ddt.data(None, move.State.OPEN, move.State.RESTORED)
    def test_nothing_else(self, state):
        self.assertEqual([], self.take_up(self.an_instance(state, age=1)))

    def test_a_message_may_be_on_its_way(self):
        younger, older = (self.an_instance(age=age) for age in (50, 70))
        [call] = self.take_up(younger, older, patience=60)
        self.assertIs(older, call.args[3])

    def test_one_failure_does_not_stop_the_others(self):
        self.manager.finish_resize.side_effect = [ValueError, None]
        instances = [self.an_instance(age=1), self.an_instance(age=1)]
        with self.assertLogs(arrivals.LOG.logger, 'ERROR'):
            calls = self.take_up(*instances)
        self.assertEqual(2, len(calls))


@ddt.ddt
class OnceTestCase(ArrivalsTestCase):
    def setUp(self):
        super().setUp()
        self.known = self.patch(objects.Instance, 'get_by_uuid')

    def once(self, **fields):
        self.known.return_value = self.an_instance(**fields)
        with arrivals.once(
            self.context, self.an_instance(), self.migration
        ) as due:
            return due

    def test_the_first_time(self):
        self.assertTrue(self.once())

    @ddt.data(None, task_states.RESIZE_FINISH, task_states.RESIZE_REVERTING)
    def test_it_was_begun_already(self, task_state):
        self.assertFalse(self.once(task_state=task_state))

    def test_it_is_another_migration_by_now(self):
        self.migration.uuid = uuids.earlier
        self.assertFalse(self.once())
