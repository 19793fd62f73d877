# SPDX-License-Identifier: Apache-2.0
"""How other hosts are asked, and what it means that one does not answer."""

from unittest import mock

import ddt
import fixtures
from nova import context
from nova import exception
from nova import objects
from nova import rpc as novas
from nova import test
import nova.conf
import oslo_messaging as messaging
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import rpc
from nova_numa_migrate.conf import numa_migrate


class RpcTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        numa_migrate.register_opts(nova.conf.CONF)
        for name in ('get_client', 'ClientRouter'):
            router = self.useFixture(
                fixtures.MockPatchObject(novas, name, autospec=True)
            ).mock
        self.prepare = router.return_value.client.return_value.prepare
        self.call = self.prepare.return_value.call
        self.context = context.get_admin_context()
        self.instance = objects.Instance(uuid=uuids.instance)
        self.api = rpc.NumaComputeAPI()


class SendTestCase(RpcTestCase):
    def send(self):
        self.api.send_checkpoint(
            self.context, 'compute2', self.instance, uuids.migration
        )

    def test_it_is_waited_for(self):
        self.flags(rpc_response_timeout=50, long_rpc_timeout=100)
        self.flags(transfer_timeout=200, group='numa_migrate')
        self.send()
        prepared = mock.call(server='compute2', version='1.2')
        patiently = mock.call(
            server='compute2',
            version='1.2',
            timeout=200,
            call_monitor_timeout=50,
        )
        self.assertEqual([prepared, patiently], self.prepare.call_args_list)
        self.assertEqual(
            ['sync_checkpoint', 'send_checkpoint'],
            [call.args[1] for call in self.call.call_args_list],
        )

    def test_not_for_a_host_that_cannot(self):
        self.call.side_effect = messaging.UnsupportedVersion('1.2')
        self.assertRaises(rpc.Unanswered, self.send)
        self.assertEqual(1, self.call.call_count)


@ddt.ddt
class ListBlockersTestCase(RpcTestCase):
    def found(self):
        self.instance.host = 'compute1'
        return self.api.list_blockers(self.context, self.instance)

    def test_what_the_source_says(self):
        self.call.return_value = ['vTPM (tpm0)']
        self.assertEqual(['vTPM (tpm0)'], self.found())
        self.prepare.assert_called_once_with(server='compute1', version='1.2')

    @ddt.data(
        messaging.UnsupportedVersion('1.2'),
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
class AnswerTestCase(RpcTestCase):
    def failure_for(self, error):
        """The exception that a caller sees for one of the messaging's."""
        self.call.side_effect = error
        return self.assertRaises(
            exception.NovaException,
            self.api.sync_checkpoint,
            self.context,
            'compute1',
            self.instance,
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
