# SPDX-License-Identifier: Apache-2.0
"""What a host is taken to say that is too old to be asked."""

from unittest import mock

import ddt
from nova import exception
from nova import objects
from nova import rpc as novas
import oslo_messaging as messaging

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
