# SPDX-License-Identifier: Apache-2.0
"""Responses of Nova's API, as requests delivers them."""

import json

import requests

REQUEST_ID = 'req-0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9'


def response(status: int, message: str | None = None) -> requests.Response:
    """An answer with this status; with a message, an error of Nova's."""
    answer = requests.Response()
    answer.status_code = status
    answer.url = 'http://nova/v2.1/servers/id/action'
    answer.headers['x-openstack-request-id'] = REQUEST_ID
    answer.headers['content-type'] = 'application/json'
    body = {'conflict': {'code': status, 'message': message}}
    answer._content = json.dumps(body).encode() if message else b''
    return answer
