# SPDX-License-Identifier: Apache-2.0
"""The end of a move, told from the server and its action."""

import itertools
from unittest import mock

from openstack.compute.v2 import _proxy
from openstack.compute.v2 import server as sdk_server
from osc_lib import exceptions
import testtools

from nova_numa_migrate.client import outcome
from nova_numa_migrate.client import progress
from nova_numa_migrate.client import request

SENT = request.SentRequest('abc', 'req-1')
MOVING = {'status': 'RESIZE', 'OS-EXT-STS:task_state': 'resize_prep'}
ACTIVE = {'status': 'ACTIVE', 'OS-EXT-STS:task_state': None}
SHUTOFF = {'status': 'SHUTOFF', 'OS-EXT-STS:task_state': None}
MOVED = {'status': 'VERIFY_RESIZE', 'OS-EXT-STS:task_state': None}
ERROR = {
    'status': 'ERROR',
    'OS-EXT-STS:task_state': None,
    'fault': {'message': 'all is lost', 'code': 500},
}


def event(name, result, details=None, host=None, minute=0):
    return {
        'event': name,
        'result': result,
        'details': details,
        'host': host,
        'start_time': f'2026-01-01T00:{minute:02}:00.000000',
    }


class WaitTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.compute = mock.create_autospec(_proxy.Proxy, instance=True)
        self.compute.default_microversion = '2.56'
        data = self.compute.get_endpoint_data.return_value
        data.min_microversion, data.max_microversion = '2.1', '2.104'
        data.get_all_version_string_data = None
        self.slept = []

    def wait(self, *looks, events=(), callback=None):
        """Wait through these looks at the server and lists of events."""
        self.compute.get_server.side_effect = [
            sdk_server.Server.existing(id='abc', **look) for look in looks
        ]
        # What has come stays.
        coming = itertools.chain(
            events, itertools.repeat(events[-1] if events else ())
        )
        self.compute.get.side_effect = lambda *args, **kwargs: self._action(
            list(next(coming))
        )
        outcome.wait(self.compute, SENT, self.slept.append, callback)

    def _action(self, events):
        answer = mock.Mock(status_code=200, headers={})
        answer.json.return_value = {
            'instanceAction': {'request_id': 'req-1', 'events': events}
        }
        return answer

    def failure(self, *looks, events=()):
        error = self.assertRaises(
            exceptions.CommandError, self.wait, *looks, events=events
        )
        return str(error)

    def test_verify_resize_is_success(self):
        self.wait(MOVING, MOVING, MOVED)
        self.assertEqual([outcome.POLL_SECONDS] * 2, self.slept)
        self.compute.get.assert_not_called()

    def test_who_watches_sees_the_events_while_it_moves(self):
        check = event('numa_migrate_check', None)
        saved = event('numa_migrate_checkpoint', 'Success', minute=1)
        seen = []
        self.wait(
            MOVING,
            MOVING,
            MOVED,
            events=[[], [saved, check]],
            callback=lambda events: seen.append([e.event for e in events]),
        )
        self.assertEqual(
            [[], ['numa_migrate_check', 'numa_migrate_checkpoint']], seen
        )

    def test_a_move_confirmed_before_the_look_is_success(self):
        events = [event('compute_finish_resize', 'Success')]
        self.wait(MOVING, ACTIVE, events=[events])

    def test_a_task_in_flight_is_not_the_end(self):
        confirming = {**MOVED, 'OS-EXT-STS:task_state': 'resize_confirming'}
        self.wait(confirming, MOVED)
        self.assertEqual(1, len(self.slept))

    def test_a_rolled_back_move_tells_every_reason_once_in_order(self):
        events = [
            event('conductor_migrate_server', 'Error', 'no host', minute=3),
            event('cold_migrate', 'Error', 'no host', minute=2),
            event('compute_prep_resize', 'Error', 'node 1\nfull', 'h2', 1),
        ]
        self.assertEqual(
            'server abc did not move and is ACTIVE: h2: node 1 full; no host',
            self.failure(MOVING, ACTIVE, events=[events]),
        )

    def test_the_scheduler_names_the_hosts_itself(self):
        text = 'h2 node 3: needs 2 dedicated CPUs, 0 free'
        events = [
            event('numa_migrate_schedule_1', 'Error', text, 'scheduler', 1),
            event('cold_migrate', 'Error', 'no host', minute=2),
        ]
        self.assertEqual(
            f'server abc did not move and is ACTIVE: {text}; no host',
            self.failure(MOVING, ACTIVE, events=[events]),
        )

    def test_reasons_of_one_second_are_in_the_order_of_their_events(self):
        """Nova has the newest event first, where times tell nothing too."""
        events = [
            event('cold_migrate', 'Error', 'no host'),
            event('numa_migrate_schedule_3', 'Error', 'third'),
            event('numa_migrate_schedule_2', 'Error', 'second'),
            event('numa_migrate_schedule_1', 'Error', 'nearest'),
        ]
        self.assertIn(
            ': nearest; second; third; no host',
            self.failure(MOVING, ACTIVE, events=[events]),
        )

    def test_phases_of_one_second_are_in_the_order_of_their_events(self):
        events = [
            event('numa_migrate_transfer', None),
            event('numa_migrate_checkpoint', 'Success'),
            event('numa_migrate_check', 'Success'),
        ]
        seen = []
        self.wait(
            MOVING,
            MOVED,
            events=[events],
            callback=lambda events: seen.append(progress.phase(events)),
        )
        self.assertEqual([(2, 'transfer')], seen)

    def test_a_guest_that_went_home_has_not_moved(self):
        events = [
            event('compute_finish_resize', 'Success', minute=4),
            event('numa_migrate_return', 'Success', minute=3),
            event('numa_migrate_restore', 'Error', 'no room', 'h2', 2),
        ]
        self.assertEqual(
            'server abc did not move and is ACTIVE: h2: no room',
            self.failure(MOVING, ACTIVE, events=[events]),
        )

    def test_a_stopped_server_that_did_not_move_ends_the_wait(self):
        events = [event('cold_migrate', 'Error', 'no host')]
        self.assertIn(
            'is SHUTOFF: no host',
            self.failure(MOVING, SHUTOFF, events=[events]),
        )

    def test_the_reason_may_come_after_the_server_is_back(self):
        open_ = [event('compute_prep_resize', None)]
        closed = [event('compute_prep_resize', 'Error', 'full', 'h2')]
        self.assertIn(
            'h2: full', self.failure(ACTIVE, events=[open_, open_, closed])
        )
        self.assertEqual(3, len(self.slept))

    def test_the_conductor_may_give_up_before_the_host_says_why(self):
        gave_up = event('cold_migrate', 'Error', 'no host', minute=2)
        why = event('numa_migrate_refused', 'Error', 'full', 'h2', 1)
        self.assertIn(
            ': h2: full; no host',
            self.failure(ACTIVE, events=[[gave_up], [gave_up, why]]),
        )

    def test_what_nova_has_cut_is_told_whole(self):
        """And from the host that said so, where Nova names another."""
        text = 'node 1: needs 2, 1 free; node 2: needs 2, 0 free'
        events = [
            event('compute_prep_resize', 'Error', text[:30], 'h1', 1),
            event('numa_migrate_refused', 'Error', text, 'h2', 2),
        ]
        self.assertEqual(
            f'server abc did not move and is ACTIVE: h2: {text}',
            self.failure(ACTIVE, events=[events]),
        )

    def test_an_action_without_a_reason_says_where_to_look(self):
        events = [[]] * outcome.EVENT_POLLS
        self.assertIn(
            'openstack server event show abc req-1',
            self.failure(ACTIVE, events=events),
        )

    def test_a_server_in_error_is_a_failure_even_if_it_moved(self):
        events = [event('compute_finish_resize', 'Success')]
        self.assertIn(
            'is ERROR: all is lost', self.failure(ERROR, events=[events])
        )

    def test_details_are_read_above_a_pinned_microversion(self):
        events = [event('cold_migrate', 'Error', 'no host')]
        self.failure(ACTIVE, events=[events])
        self.assertEqual(
            '2.84', self.compute.get.call_args.kwargs['microversion']
        )
