# SPDX-License-Identifier: Apache-2.0
"""The tracker, which knows the nodes that are being claimed."""

import threading
from unittest import mock

from nova import objects
from nova import test
from nova.compute import resource_tracker
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import binding
from nova_numa_migrate import hint
from tests.unit import topologies
from tests.unit.compute import trackers


class TrackerTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.tracker = trackers.a_tracker()
        self.nodes = hint.NodeMap((3, 2))

    def test_only_while_it_is_claiming(self):
        self.assertIsNone(self.tracker.node_map_of('u1'))
        with self.tracker.claiming('u1', self.nodes):
            self.assertEqual(self.nodes, self.tracker.node_map_of('u1'))
            self.assertIsNone(self.tracker.node_map_of('u2'))
        self.assertIsNone(self.tracker.node_map_of('u1'))

    def test_two_requests_at_one_time_do_not_end_each_other(self):
        begun, over = threading.Event(), threading.Event()
        found = []

        def second():
            with self.tracker.claiming('u1', hint.NodeMap((1, 0))):
                begun.set()
                over.wait(60)
                found.append(self.tracker.node_map_of('u1'))

        thread = threading.Thread(target=second)
        with self.tracker.claiming('u1', self.nodes):
            thread.start()
            self.assertTrue(begun.wait(60))
            self.assertEqual(self.nodes, self.tracker.node_map_of('u1'))
        over.set()
        thread.join(60)
        self.assertEqual([hint.NodeMap((1, 0))], found)

    def bound_by(self, name, *args, topology=None):
        """What an instance is bound to when Nova's claim is made."""
        instance = objects.Instance(
            uuid=uuids.instance, numa_topology=topology, system_metadata={}
        )
        old = binding.Binding('compute2', (1,))
        binding.place(instance.system_metadata, old)
        novas = mock.patch.object(
            resource_tracker.ResourceTracker, name, autospec=True
        )
        with novas as claim_of_novas:
            found = getattr(self.tracker, name)('context', instance, *args)
        self.assertIs(claim_of_novas.return_value, found)
        ((_, claimed, *rest), _) = claim_of_novas.call_args
        self.assertIs(instance, claimed)
        self.assertEqual(args, tuple(rest)[: len(args)])
        return binding.Binding.of(instance.system_metadata, 'compute2')

    def test_one_that_is_created_or_unshelved(self):
        args = ('instance_claim', 'node', {}, 'limits')
        self.assertIsNone(self.bound_by(*args))
        with self.tracker.claiming(uuids.instance, self.nodes):
            self.assertEqual(
                binding.Binding('compute2', (3, 2)), self.bound_by(*args)
            )
            topology = topologies.guest(2)
            self.assertIsNone(self.bound_by(*args, topology=topology))

    def test_one_that_is_evacuated(self):
        self.assertIsNone(self.bound_by('rebuild_claim', 'node', {}, 'limits'))

    def test_a_failure_ends_it_too(self):
        def fail():
            with self.tracker.claiming('u1', self.nodes):
                raise RuntimeError

        self.assertRaises(RuntimeError, fail)
        self.assertIsNone(self.tracker.node_map_of('u1'))
