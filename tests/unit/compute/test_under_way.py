# SPDX-License-Identifier: Apache-2.0
"""What is known of the moves that are under way on a host."""

import ddt
from nova import exception
from nova import objects
import oslo_messaging as messaging

from nova_numa_migrate.compute import under_way
from tests.unit.compute import moves


@ddt.ddt
class RequestSpecTestCase(moves.MovesTestCase):
    def setUp(self):
        super().setUp()
        self.know_records()
        self.instance = moves.an_instance()

    def request_spec(self):
        return under_way.request_spec(self.context, self.instance)

    def test_as_a_message_would_have_it(self):
        spec = objects.RequestSpec.get_by_instance_uuid
        self.assertIs(spec.return_value, self.request_spec())
        spec.assert_called_once_with(self.context, self.instance.uuid)

    @ddt.data(
        # What a conductor says that has no connection to the API's database.
        messaging.RemoteError('CantStartEngineError'),
        exception.RequestSpecNotFound(instance_uuid='x'),
    )
    def test_where_it_cannot_be_read_the_move_goes_on(self, error):
        objects.RequestSpec.get_by_instance_uuid.side_effect = error
        with self.assertLogs(under_way.LOG.logger, 'WARNING'):
            self.assertIsNone(self.request_spec())
