# SPDX-License-Identifier: Apache-2.0
"""No request makes the API fail, and each answer is as documented.

Some hundred requests, always the same.  For many more::

    API_FUZZ_EXAMPLES=2000 stestr --test-path ./tests/functional --top-dir . \
        run test_api_fuzz
"""

from __future__ import annotations

import os
import sys

from nova_numa_migrate.api import openapi
from tests.functional import api_fuzz
from tests.functional import base

#: Of each operation, for right and for wrong requests.
EXAMPLES = int(os.environ.get('API_FUZZ_EXAMPLES', '30'))


class ApiFuzzTest(base.NumaMigrateTestCase):
    CAST_AS_CALL = False

    def setUp(self):
        super().setUp()
        self.start_stock_compute('stock1', host_info=base.four_nodes())
        # No other host has room for dedicated CPUs, so that these servers
        # stay where they are, whatever is asked.
        self.boot(cells=4, host='compute2')
        running = [self.boot(cells=cells) for cells in (1, 2)]
        stopped = self.boot(cells=1)
        self._stop_server(stopped)
        shared = self.boot(cells=1, dedicated=False, host='stock1')
        bare = self._create_server(
            flavor_id=self._create_flavor(vcpu=1, disk=1, ephemeral=0),
            networks='none',
            host='compute1',
            api=self.admin_api,
        )
        self.servers = [*running, stopped, shared, bare]

    def test_nothing_fails(self):
        fuzz = api_fuzz.Fuzz(
            self.api_fixture.base_url,
            {
                'X-Auth-User': 'admin',
                'X-User-Id': 'admin',
                'X-Auth-Project-Id': self.api_fixture.project_id,
                'X-Roles': 'reader,member,admin',
                'OpenStack-API-Version': 'compute 2.104',
            },
            [server['id'] for server in self.servers],
            ('compute1', 'compute2', 'compute9', 'stock1'),
        )
        fuzz.run(EXAMPLES)
        for server in self.servers:
            self._wait_for_server_parameter(
                server, {'OS-EXT-STS:task_state': None}
            )
        for (label, status), count in sorted(fuzz.counts.items()):
            sys.stdout.write(f'{label}: {status} {count} times\n')
        # It got past each door.
        self.assertEqual(4, len({label for label, _ in fuzz.counts}))
        action = f'POST {openapi.ACTION_PATH}'
        statuses = {s for label, s in fuzz.counts if label == action}
        self.assertLessEqual({400, 404, 409}, statuses)
        # A dry run or a move; which of them depends on what moves meanwhile.
        self.assertTrue(statuses & {200, 202})
