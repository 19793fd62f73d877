# SPDX-License-Identifier: Apache-2.0
"""A cloud of one server behind real HTTP, for the real ``openstack``.

Enough of Keystone and of Nova's API for ``server migrate``: what was posted
is kept, what a server and its instance action look like is set by the test.
"""

from collections.abc import Iterator
import contextlib
import http.server
import json
import re
import threading
from typing import Any

SERVER_ID = '6a3b0c5e-5d2f-4c0e-9f6b-2f0d8e4b7a11'
REQUEST_ID = 'req-0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9'
MAXIMUM = '2.104'

SERVER: dict[str, Any] = {
    'id': SERVER_ID,
    'name': 'g1',
    'status': 'ACTIVE',
    'OS-EXT-STS:task_state': None,
    'OS-EXT-STS:vm_state': 'active',
}


class FakeCloud(http.server.ThreadingHTTPServer):
    """State of the cloud, and the requests it got."""

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), _Handler)
        # Body and microversion header of each action request.
        self.actions: list[tuple[dict[str, Any], str]] = []
        # Answer to an action request: status and error message.
        self.refusal: tuple[int, str] | None = None
        # What the server looks like after the request, one for each look;
        # the last one stays.
        self.looks: list[dict[str, Any]] = [{}]
        self.events: list[dict[str, Any]] = []
        # Further answers, by their path below the endpoint, and the queries
        # for them.
        self.answers: dict[str, dict[str, Any]] = {}
        self.queries: list[str] = []

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.server_address[1]}'

    def server(self) -> dict[str, Any]:
        if not self.actions:
            return SERVER
        look = self.looks[0] if len(self.looks) == 1 else self.looks.pop(0)
        return {**SERVER, **look}

    def environment(self) -> dict[str, str]:
        """What an operator's openrc would set."""
        return {
            'OS_AUTH_URL': f'{self.url}/v3',
            'OS_USERNAME': 'admin',
            'OS_PASSWORD': 'password',
            'OS_PROJECT_NAME': 'admin',
            'OS_USER_DOMAIN_NAME': 'Default',
            'OS_PROJECT_DOMAIN_NAME': 'Default',
            'OS_IDENTITY_API_VERSION': '3',
        }


@contextlib.contextmanager
def running() -> Iterator[FakeCloud]:
    """Serve on a free port of loopback."""
    cloud = FakeCloud()
    thread = threading.Thread(target=cloud.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield cloud
    finally:
        cloud.shutdown()
        thread.join()
        cloud.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FakeCloud
    protocol_version = 'HTTP/1.1'

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        path = self.path.partition('?')[0].rstrip('/')
        if path == '/v3':
            self._answer(200, {'version': self._version('v3.14')})
        elif path == '/v2.1':
            version = self._version('v2.1', version=MAXIMUM, min_version='2.1')
            self._answer(200, {'version': version})
        elif path == f'/v2.1/servers/{SERVER_ID}':
            self._answer(200, {'server': self.server.server()})
        elif re.fullmatch(r'/v2\.1/servers(/detail)?', path):
            self._answer(200, {'servers': [self.server.server()]})
        elif path.endswith(f'/os-instance-actions/{REQUEST_ID}'):
            action = {
                'action': 'migrate',
                'request_id': REQUEST_ID,
                'events': self.server.events,
            }
            self._answer(200, {'instanceAction': action})
        elif path.removeprefix('/v2.1') in self.server.answers:
            self.server.queries.append(self.path.partition('?')[2])
            self._answer(200, self.server.answers[path.removeprefix('/v2.1')])
        else:
            # As what routes to Nova's controllers has it.
            self._answer(404, {'code': '404 Not Found', 'title': 'Not Found'})

    def do_POST(self) -> None:
        length = int(self.headers.get('content-length', 0))
        body = json.loads(self.rfile.read(length))
        if self.path == '/v3/auth/tokens':
            headers = {'X-Subject-Token': 'token'}
            self._answer(201, {'token': self._token()}, headers)
        elif self.path == f'/v2.1/servers/{SERVER_ID}/action':
            version = self.headers.get('OpenStack-API-Version', '')
            self.server.actions.append((body, version))
            answer = self.server.answers.get('/action')
            if self.server.refusal:
                self._refuse(*self.server.refusal)
            else:
                self._answer(200 if answer else 202, answer)
        else:
            self._refuse(404, f'nothing at {self.path}')

    def _version(self, name: str, **more: str) -> dict[str, Any]:
        link = {'rel': 'self', 'href': f'{self.server.url}{self.path}'}
        return {'id': name, 'status': 'CURRENT', 'links': [link], **more}

    def _token(self) -> dict[str, Any]:
        endpoint = {
            'interface': 'public',
            'region': 'RegionOne',
            'region_id': 'RegionOne',
            'url': f'{self.server.url}/v2.1',
            'id': 'compute',
        }
        domain = {'id': 'default', 'name': 'Default'}
        return {
            'methods': ['password'],
            'expires_at': '2099-01-01T00:00:00.000000Z',
            'issued_at': '2026-01-01T00:00:00.000000Z',
            'user': {'id': 'u', 'name': 'admin', 'domain': domain},
            'project': {'id': 'p', 'name': 'admin', 'domain': domain},
            'roles': [{'id': 'r', 'name': 'admin'}],
            'catalog': [
                {
                    'type': 'compute',
                    'name': 'nova',
                    'id': 'nova',
                    'endpoints': [endpoint],
                }
            ],
        }

    def _refuse(self, status: int, message: str) -> None:
        body = {'badRequest': {'code': status, 'message': message}}
        self._answer(status, body)

    def _answer(
        self,
        status: int,
        body: dict[str, Any] | None,
        headers: dict[str, str] | None = None,
    ) -> None:
        data = b'' if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.send_header('x-openstack-request-id', REQUEST_ID)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
