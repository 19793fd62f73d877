# SPDX-License-Identifier: Apache-2.0
"""A server's owner learns nothing of hosts and nodes by a move."""

from __future__ import annotations

from tests.functional import base
from tests.functional.test_bare import BareMixin

TOLD = '2.100'


class PrivacyTest(BareMixin, base.NumaMigrateTestCase):
    def test_the_hints_of_a_server_are_those_of_its_creation(self):
        server = self.boot(cells=2)
        self.hinted_migrate(server, [3, 2])
        self.api.microversion = TOLD
        self.assertEqual({}, self._shown(server))
        [listed] = self.api.get_servers()
        self.assertEqual({}, listed['scheduler_hints'])

    def _shown(self, server):
        return self.api.get_server(server['id'])['scheduler_hints']

    def test_an_image_of_a_server_does_not_say_where_it_was(self):
        server = self.boot_bare()
        self.hinted_migrate(server, [3, 2])
        self.confirm(server)
        stored = self.instance(server).system_metadata
        self.assertIn('numa_binding', stored)
        self._snapshot_server(server, 'of-a-guest')
        [image] = [
            image
            for image in self.glance.detail(self.ctxt)
            if image['name'] == 'of-a-guest'
        ]
        self.assertEqual(
            [], [key for key in image['properties'] if 'numa_' in key]
        )
