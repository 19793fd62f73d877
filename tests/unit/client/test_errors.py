# SPDX-License-Identifier: Apache-2.0
"""Refusals as one line."""

from openstack import exceptions as sdk_exceptions
import testtools

from nova_numa_migrate.client import errors
from tests.unit.client import responses


class FromHttpTestCase(testtools.TestCase):
    def raised(self, status, message):
        return self.assertRaises(
            sdk_exceptions.HttpException,
            sdk_exceptions.raise_from_response,
            responses.response(status, message),
        )

    def test_the_apis_sentence_status_and_request_are_kept(self):
        for status in (400, 403, 404, 409, 500):
            error = errors.from_http(self.raised(status, 'no\n such  node'))
            self.assertEqual(
                f'no such node (HTTP {status}) '
                f'(Request-ID: {responses.REQUEST_ID})',
                str(error),
            )

    def test_without_a_response_the_sdks_own_words_are_kept(self):
        error = errors.from_http(sdk_exceptions.NotFoundException('no g1'))
        self.assertEqual('no g1', str(error))

    def test_a_cloud_without_the_plugin_is_told(self):
        for body in (b'{"code": "404 Not Found"}', b'404 Not Found'):
            answer = responses.response(404)
            answer._content = body
            refused = self.assertRaises(
                sdk_exceptions.HttpException,
                sdk_exceptions.raise_from_response,
                answer,
            )
            error = errors.from_http(refused)
            self.assertIn('is nova-numa-migrate installed', str(error))
            self.assertIn('/servers/id/action', str(error))
