# SPDX-License-Identifier: Apache-2.0
"""The interception of one POST."""

from unittest import mock

from openstack.compute.v2 import _proxy
from osc_lib import exceptions
import testtools

from nova_numa_migrate.client import request
from tests.unit.client import responses

HINTS = {'numa_node': ['1']}
URL = 'servers/abc/action'


class HintedTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.compute = mock.create_autospec(_proxy.Proxy, instance=True)
        self.compute.default_microversion = None
        self.post = self.compute.post
        self.post.return_value = responses.response(202)

    def send(self, url=URL, **kwargs):
        kwargs = {'json': {'migrate': None}, **kwargs}
        with request.hinted(self.compute, HINTS) as sent:
            self.compute.post(url, **kwargs)
        return sent

    def test_what_was_sent_is_identified(self):
        sent = self.send()
        self.assertEqual('abc', sent.server_id)
        self.assertEqual(responses.REQUEST_ID, sent.request_id)

    def test_the_callers_body_and_the_rest_stay_its_own(self):
        body = {'migrate': {'host': 'h2'}}
        self.send(json=body, headers={'Accept': ''})
        self.assertEqual({'migrate': {'host': 'h2'}}, body)
        self.assertEqual({'Accept': ''}, self.post.call_args.kwargs['headers'])

    def test_microversion_of_the_sdk_is_kept(self):
        self.send(microversion='2.90')
        self.assertEqual('2.90', self.post.call_args.kwargs['microversion'])

    def test_microversion_of_the_operator_is_kept(self):
        self.compute.default_microversion = '2.60'
        self.send(microversion=None)
        self.assertEqual('2.60', self.post.call_args.kwargs['microversion'])

    def test_without_any_microversion_the_least_that_checks_is_sent(self):
        self.send()
        self.assertEqual('2.56', self.post.call_args.kwargs['microversion'])

    def test_afterwards_the_proxy_is_stock(self):
        self.send()
        self.assertIs(self.post, self.compute.post)

    def test_a_failure_leaves_the_proxy_stock_and_is_not_masked(self):
        self.post.side_effect = ConnectionError
        self.assertRaises(ConnectionError, self.send)
        self.assertIs(self.post, self.compute.post)

    def test_other_requests_pass_untouched(self):
        for url, body in (
            ('servers/abc/action', {'os-start': None}),
            ('servers/abc/tags', {'migrate': None}),
            ('servers', None),
        ):
            error = self.assertRaises(
                exceptions.CommandError, self.send, url, json=body
            )
            self.assertIn('the hint was not sent', str(error))
            self.post.assert_called_with(url, json=body)
