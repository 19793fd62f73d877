# SPDX-License-Identifier: Apache-2.0
"""The progress bar, drawn for a terminal and for nothing else."""

import io

from openstack.compute.v2 import server_action
from osc_lib import exceptions
import testtools

from nova_numa_migrate.client import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def screen(self):
        """The lines as they are left to be read."""
        text = self.getvalue()
        return [line.rpartition('\r')[2] for line in text.split('\n')]


def events(*named):
    """Of names, those that are over with a ! before them."""
    return [
        server_action.ServerActionEvent(
            event=name.lstrip('!'),
            result='Success' if name.startswith('!') else None,
        )
        for name in named
    ]


class PhaseTestCase(testtools.TestCase):
    def assert_phase(self, done, name, *named):
        self.assertEqual((done, name), progress.phase(events(*named)))

    def test_before_any_event(self):
        self.assert_phase(0, 'check')
        self.assert_phase(0, 'check', 'cold_migrate', '!compute_prep_resize')

    def test_each_begins_where_the_last_one_ended(self):
        named = []
        for number, name in enumerate(progress.PHASES):
            self.assert_phase(number, name, *named)
            self.assert_phase(number, name, *named, f'numa_migrate_{name}')
            named.append(f'!numa_migrate_{name}')
        self.assert_phase(5, 'verify', *named)

    def test_a_move_on_one_host_sends_nothing(self):
        self.assert_phase(
            3, 'restore', '!numa_migrate_checkpoint', 'numa_migrate_restore'
        )

    def test_the_next_host_begins_again(self):
        self.assert_phase(
            0, 'check', '!numa_migrate_check', 'numa_migrate_check'
        )

    def test_other_events_are_no_phase(self):
        self.assert_phase(
            2,
            'transfer',
            '!numa_migrate_checkpoint',
            'numa_migrate_return',
            'numa_migrate_schedule_1',
            'compute_resize_instance',
        )


class BarTestCase(testtools.TestCase):
    def test_no_terminal_gets_nothing(self):
        stream = io.StringIO()
        with progress.shown(stream) as show:
            self.assertIsNone(show)
        self.assertEqual('', stream.getvalue())

    def test_a_move(self):
        stream = Terminal()
        with progress.shown(stream) as show:
            self.assertEqual(
                ['[....................] 0/5 check     '], stream.screen()
            )
            show(events('!numa_migrate_checkpoint', 'numa_migrate_transfer'))
            self.assertEqual(
                ['[########............] 2/5 transfer  '], stream.screen()
            )
        self.assertEqual(
            ['[####################] 5/5 moved     ', ''], stream.screen()
        )

    def test_one_that_failed_stays_where_it_was(self):
        stream = Terminal()

        def move():
            with progress.shown(stream) as show:
                show(events('numa_migrate_checkpoint'))
                raise exceptions.CommandError('no room')

        self.assertRaises(exceptions.CommandError, move)
        self.assertEqual(
            ['[####................] 1/5 checkpoint', ''], stream.screen()
        )
