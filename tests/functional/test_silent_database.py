# SPDX-License-Identifier: Apache-2.0
"""The database, or the way to it, is silent before a guest is saved."""

from __future__ import annotations

import contextlib
from unittest import mock

import ddt
from nova import objects
import oslo_messaging as messaging

from nova_numa_migrate.compute import arrivals
from nova_numa_migrate.virt import source
from tests.functional import failing
from tests.functional import fake_libvirt

CLAIM = (objects.Instance, 'drop_migration_context')
SERVER = ((objects.Instance, 'save'), CLAIM)


@ddt.ddt
class SilentDatabaseTest(failing.FailingTestCase):
    def _fall_silent(self, where, name, begin, *methods):
        """From the call of that on, those get no answer."""
        with contextlib.ExitStack() as stack:

            def fail(*args, **kwargs):
                for cls, method in methods:
                    stack.enter_context(
                        mock.patch.object(
                            cls,
                            method,
                            autospec=True,
                            side_effect=messaging.MessagingTimeout,
                        )
                    )
                begin()

            self.kill('compute1', 'resize_instance', where, name, fail)

    def _before_the_save(self, *also):
        self._fall_silent(source, 'step', self._time_out, *SERVER, *also)
        self.assertEqual('resize_migrating', self.task())
        self.assertEqual(['compute1'], self.running_on(self.server))

    @staticmethod
    def _time_out():
        raise messaging.MessagingTimeout

    def _take_up(self):
        with mock.patch.object(arrivals, 'PATIENCE', 0):
            self.computes['compute1'].manager._take_up_moves(self.ctxt)

    def test_the_claim_alone_cannot_be_given_up(self):
        with self.assert_goes_on(self.server):
            self._fall_silent(source, 'step', self._time_out, CLAIM)
            self.wait_for_failure(self.server)
        self.assertIsNone(self.instance(self.server).migration_context)
        self.assert_as_before()

    @ddt.data(
        ((objects.Migration, 'save'),),
        # Nova's handlers say that the migration has failed, and no more.
        (),
    )
    def test_the_guest_runs_on(self, also):
        with self.assert_goes_on(self.server):
            self._before_the_save(*also)
            self._take_up()
            self.wait_for_failure(self.server)
        self.assert_as_before()
        with self.assert_goes_on(self.server):
            self.hinted_migrate(self.server, [3, 2])

    def test_the_service_is_started_anew_before_that(self):
        with self.assert_goes_on(self.server):
            self._before_the_save()
            self.assertEqual('error', self._migration_status(self.server))
            self.restart_compute_service('compute1')
        self.assert_as_before()

    def test_a_guest_that_could_not_be_saved_runs_on(self):
        with self.assert_goes_on(self.server):
            self._fall_silent(
                fake_libvirt.Domain,
                'saveFlags',
                failing.libvirt_error,
                *SERVER,
            )
            self.assertEqual('resize_migrating', self.task())
            self._take_up()
            self.wait_for_failure(self.server)
        self.assert_as_before()

    def test_the_database_falls_silent_again(self):
        """What was left half way is done the next minute."""
        save = objects.Instance.save

        def fail(instance, **more):
            if more.get('expected_task_state') == ['resize_migrating']:
                raise messaging.MessagingTimeout
            save(instance, **more)

        with self.assert_goes_on(self.server):
            self._before_the_save()
            with mock.patch.object(objects.Instance, 'save', fail):
                self._take_up()
            self.assertEqual('resize_migrating', self.task())
            self._take_up()
        self.assert_as_before()
