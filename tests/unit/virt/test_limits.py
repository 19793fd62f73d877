# SPDX-License-Identifier: Apache-2.0
"""How long, and how many: what is given up, and what waits."""

import threading
from unittest import mock

from nova import exception
from nova import test
import nova.conf

from nova_numa_migrate.conf import numa_migrate
from nova_numa_migrate.virt import limits

# For what must happen; never waited for to its end.
LONG = 60


class LimitsTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        numa_migrate.register_opts(nova.conf.CONF)

    def limit(self, **options):
        self.flags(group='numa_migrate', **options)


class DeadlineTestCase(LimitsTestCase):
    def setUp(self):
        super().setUp()
        self.given_up = threading.Event()

    def run_(self, phase, give_up=None):
        with limits.deadline('restore_timeout', give_up or self.given_up.set):
            phase()

    def until_given_up(self):
        self.assertTrue(self.given_up.wait(LONG))
        raise RuntimeError('the job was aborted')

    def test_a_phase_that_takes_too_long(self):
        self.limit(restore_timeout=1)
        error = self.assertRaises(
            exception.MigrationError, self.run_, self.until_given_up
        )
        self.assertIn('[numa_migrate] restore_timeout, 1 s', str(error))
        self.assertIn('the job was aborted', str(error))

    def test_one_that_came_to_its_end_all_the_same(self):
        self.limit(restore_timeout=1)
        self.run_(lambda: self.assertTrue(self.given_up.wait(LONG)))

    def test_one_that_fails_by_itself(self):
        self.limit(restore_timeout=LONG)

        def fail():
            raise RuntimeError('of its own')

        error = self.assertRaises(RuntimeError, self.run_, fail)
        self.assertEqual('of its own', str(error))
        self.assertFalse(self.given_up.is_set())

    def test_nothing_is_given_up_after_the_end(self):
        self.limit(restore_timeout=1)
        begun, ended = threading.Event(), threading.Event()

        def give_up():
            begun.set()
            self.assertFalse(ended.is_set())

        self.run_(lambda: begun.wait(LONG), give_up)
        ended.set()

    def test_what_cannot_be_given_up_is_told(self):
        self.limit(restore_timeout=1)

        def give_up():
            self.given_up.set()
            raise RuntimeError('it is done')

        with self.assertLogs(limits.LOG.logger, 'WARNING') as log:
            self.run_(lambda: self.given_up.wait(LONG), give_up)
        self.assertIn('it is done', log.output[0])

    def test_no_limit(self):
        self.limit(restore_timeout=0)
        with mock.patch.object(threading, 'Timer', autospec=True) as timer:
            self.run_(lambda: None)
        timer.assert_not_called()


class SlotsTestCase(LimitsTestCase):
    def both(self):
        """Whether two can hold one of the slots at one time."""
        slots = limits.slots()
        second = threading.Event()

        def hold():
            with slots:
                second.set()

        thread = threading.Thread(target=hold)
        with slots:
            thread.start()
            found = second.wait(0.5)
        self.assertTrue(second.wait(LONG))
        thread.join()
        return found

    def test_one_after_the_other(self):
        self.assertFalse(self.both())

    def test_as_many_as_there_are(self):
        self.limit(max_concurrent_checkpoints=2)
        self.assertTrue(self.both())

    def test_no_limit(self):
        self.limit(max_concurrent_checkpoints=0)
        self.assertTrue(self.both())
