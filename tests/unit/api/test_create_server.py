# SPDX-License-Identifier: Apache-2.0
"""A create request with hints, up to where Nova's own method has it."""

from unittest import mock

import ddt
import fixtures
from nova import exception
from nova import objects
from nova import test
from nova.tests.unit.api.openstack import fakes
from oslo_utils.fixture import uuidsentinel as uuids
from webob import exc

from nova_numa_migrate import plan
from nova_numa_migrate.api import create_server

VOLUME = {'boot_index': 0, 'volume_id': uuids.volume, 'device_name': 'vda'}


@ddt.ddt
class CreateTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        request = fakes.HTTPRequest.blank('', use_admin_context=True)
        self.context = request.environ['nova.context']
        self.flavor = objects.Flavor(vcpus=4, memory_mb=1024, extra_specs={})
        self.stock = mock.Mock(return_value='stock')
        self.useFixture(
            fixtures.MonkeyPatch(
                'nova.compute.api.API.create',
                lambda _, *args, **kwargs: self.stock(*args, **kwargs),
            )
        )
        self.api = create_server.PlacingComputeAPI()
        self.api.image_api = mock.Mock()
        self.api.volume_api = mock.Mock()

    def create(self, hints, image=uuids.image, **request):
        return self.api.create(
            self.context, self.flavor, image, scheduler_hints=hints, **request
        )

    def refused(self, *args, **kwargs):
        raised = self.assertRaises(
            exc.HTTPBadRequest, self.create, *args, **kwargs
        )
        self.stock.assert_not_called()
        return raised.explanation

    def sent(self):
        """The hints that Nova got."""
        return self.stock.call_args.kwargs['scheduler_hints']

    def with_cells(self, count):
        properties = {'hw_numa_nodes': count}
        self.api.image_api.get.return_value = {
            'id': uuids.image,
            'properties': properties,
        }
        self.api.volume_api.get.return_value = {
            'size': 1,
            'volume_image_metadata': properties,
        }

    @ddt.data(None, {}, {'group': 'x'})
    def test_without_the_hint_nova_has_the_request_as_it_came(self, hints):
        self.assertEqual('stock', self.create(hints, metadata={}))
        self.stock.assert_called_once_with(
            self.context,
            self.flavor,
            uuids.image,
            scheduler_hints=hints,
            metadata={},
        )

    def test_the_cells_of_the_image(self):
        self.with_cells('2')
        self.assertEqual('stock', self.create({'numa_node': '3,2'}))
        made = plan.Plan.of(self.sent(), self.context.request_id)
        self.assertEqual((3, 2), made.node_map.nodes)

    @ddt.data(None, '')
    def test_those_of_the_volume_where_there_is_no_image(self, image):
        self.with_cells('2')
        bdms = {'block_device_mapping': [VOLUME], 'legacy_bdm': False}
        self.create({'numa_node': '3,2'}, image, **bdms)
        self.assertIn(plan.PLAN_KEY, self.sent())
        self.stock.reset_mock()
        self.assertIn(
            'guest has 2 NUMA cell(s)',
            self.refused({'numa_node': '3'}, image, **bdms),
        )

    def test_those_of_a_volume_of_the_old_form(self):
        self.with_cells('2')
        self.assertIn(
            'guest has 2 NUMA cell(s)',
            self.refused(
                {'numa_node': '3'}, None, block_device_mapping=[VOLUME]
            ),
        )

    def test_those_of_the_image_that_the_volume_will_be_made_of(self):
        self.with_cells('2')
        made = {'boot_index': 0, 'image_id': uuids.image}
        self.create(
            {'numa_node': '3,2'},
            None,
            block_device_mapping=[made],
            legacy_bdm=False,
        )
        self.assertIn(plan.PLAN_KEY, self.sent())

    def test_neither_image_nor_volume_is_novas_to_refuse(self):
        self.create({'numa_node': '3'}, None)
        self.stock.assert_called_once()

    def test_an_image_that_makes_no_sense_is_refused_as_nova_does(self):
        self.with_cells('many')
        self.assertRaises(
            exception.InvalidRequest, self.create, {'numa_node': '3'}
        )

    @ddt.data('required', 'preferred', 'never')
    def test_a_checkpoint_mode_changes_nothing(self, mode):
        hints = {'numa_checkpoint': mode}
        self.create(hints)
        self.assertEqual(hints, self.sent())
        self.create({'numa_node': '3', **hints}, None)
        made = plan.Plan.of(self.sent(), self.context.request_id)
        self.assertEqual('never', made.checkpoint)

    @ddt.data('perhaps', '', ['never'], 1, None, {})
    def test_a_mode_that_there_is_not(self, mode):
        for node in ({}, {'numa_node': '3'}):
            text = self.refused({'numa_checkpoint': mode, **node}, None)
            self.assertIn('Invalid numa_checkpoint', text)
