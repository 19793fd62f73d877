# SPDX-License-Identifier: Apache-2.0
"""How a step ended, in its event and in one more where that is too long."""

import ddt
from nova import context
from nova import exception
from nova import objects
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import events
from nova_numa_migrate.virt import step
from tests.unit import patching

# What Nova puts before the reason.
PREFIX = 'Migration error: '


@ddt.ddt
class StepTestCase(patching.PatchingTestCase):
    def setUp(self):
        super().setUp()
        self.context = context.RequestContext('user', 'project')
        self.instance = objects.Instance(uuid=uuids.instance)
        for name in ('event_start', 'event_finish_with_failure'):
            self.patch(objects.InstanceActionEvent, name)
        self.failed = self.patch(events, 'failed')

    def fail(self, error):
        with step.step(self.context, self.instance, 'numa_migrate_x'):
            raise error

    @ddt.data((255, False), (256, True))
    @ddt.unpack
    def test_a_reason_that_nova_cuts_is_told_whole(self, length, is_cut):
        text = 'x' * (length - len(PREFIX))
        error = exception.MigrationError(reason=text)
        self.assertRaises(exception.MigrationError, self.fail, error)
        self.assertEqual(is_cut, self.failed.called)
        if is_cut:
            *_, name, told = self.failed.call_args.args
            self.assertEqual('numa_migrate_x_reasons', name)
            self.assertEqual(PREFIX + text, told)

    def test_an_error_that_is_not_novas_has_its_text(self):
        error = self.assertRaises(
            exception.MigrationError, self.fail, ValueError('no such CPU')
        )
        self.assertIn('no such CPU', str(error))
