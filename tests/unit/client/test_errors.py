# SPDX-License-Identifier: Apache-2.0
"""Refusals as one line."""

from unittest import mock

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
            error = errors.from_http(self.refused(body))
            self.assertIn('is nova-numa-migrate installed', str(error))
            self.assertIn('/servers/id/action', str(error))

    def refused(self, body):
        answer = responses.response(404)
        answer._content = body
        return self.assertRaises(
            sdk_exceptions.HttpException,
            sdk_exceptions.raise_from_response,
            answer,
        )

    def test_simplejson_refuses_what_is_no_json_in_its_own_way(self):
        """Where it is installed, requests takes it in json's place."""
        refused = self.refused(b'404 Not Found')
        with mock.patch.object(
            refused.response, 'json', autospec=True, side_effect=ValueError
        ):
            error = errors.from_http(refused)
        self.assertIn('is nova-numa-migrate installed', str(error))
