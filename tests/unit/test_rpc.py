# SPDX-License-Identifier: Apache-2.0
"""What it means that another host does not answer, or is too old to."""

from unittest import mock

import ddt
from nova import context
from nova import exception
from nova import objects
from nova import rpc as novas
from nova import test
import oslo_messaging as messaging
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import rpc
from tests.unit import patching

UNSUPPORTED = messaging.UnsupportedVersion('1.2')


@ddt.ddt
class ListBlockersTestCase(patching.PatchingTestCase):
    def setUp(self):
        super().setUp()
        router = self.patch(novas, 'ClientRouter')
        self.patch(novas, 'get_client')
        self.prepare = router.return_value.client.return_value.prepare
        self.call = self.prepare.return_value.call

    def found(self):
        instance = objects.Instance(host='compute1')
        return rpc.NumaComputeAPI().list_blockers(mock.sentinel.c, instance)

    def test_what_the_source_says(self):
        self.call.return_value = ['vTPM (tpm0)']
        self.assertEqual(['vTPM (tpm0)'], self.found())
        self.prepare.assert_called_once_with(server='compute1', version='1.2')

    @ddt.data(
        UNSUPPORTED,
        # As a bus brings it.
        messaging.RemoteError('UnsupportedVersion', 'no endpoint'),
    )
    def test_an_old_source_names_none(self, error):
        self.call.side_effect = error
        self.assertEqual([], self.found())

    @ddt.data(
        messaging.MessagingTimeout('60 s'),
        messaging.RemoteError('KeyError', 'x'),
    )
    def test_silence_is_no_answer(self, error):
        self.call.side_effect = error
        self.assertRaises(exception.MigrationPreCheckError, self.found)


@ddt.ddt
class AnswerTestCase(test.NoDBTestCase):
    def failure_for(self, error):
        """The exception that a caller sees for one of the messaging's."""
        with (
            mock.patch.object(novas, 'get_client', autospec=True),
            mock.patch.object(novas, 'ClientRouter', autospec=True) as router,
        ):
            client = router.return_value.client.return_value
            client.prepare.return_value.call.side_effect = error
            return self.assertRaises(
                type(error)
                if isinstance(error, exception.NovaException)
                else exception.MigrationPreCheckError,
                rpc.NumaComputeAPI().sync_checkpoint,
                context.get_admin_context(),
                'compute1',
                objects.Instance(uuid=uuids.instance),
            )

    @ddt.data(
        messaging.MessagingTimeout('60 s'),
        messaging.MessageDeliveryFailure('no bus'),
        messaging.UnsupportedVersion('1.2'),
        messaging.RemoteError('UnsupportedVersion', '1.2'),
        messaging.RemoteError('NoSuchMethod', 'sync_checkpoint'),
    )
    def test_nobody_was_asked(self, error):
        found = self.failure_for(error)
        self.assertIsInstance(found, rpc.Unanswered)
        self.assertIn('host compute1 did not answer', str(found))

    @ddt.data(
        messaging.RemoteError('FileNotFoundError', 'u1.save'),
        OSError('here'),
        exception.MigrationError(reason='there'),
    )
    def test_it_was_and_failed(self, error):
        self.assertNotIsInstance(self.failure_for(error), rpc.Unanswered)
