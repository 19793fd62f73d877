# SPDX-License-Identifier: Apache-2.0
"""Which hosts are asked why they did not do, and in which order they come."""

import math
from unittest import mock

import fixtures
from nova import context
from nova import objects
from nova import servicegroup
from nova import test
from nova.scheduler import host_manager
from nova.tests.unit.scheduler import fakes
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import plan
from nova_numa_migrate import shortfall
from nova_numa_migrate.scheduler import misses
from tests.unit import topologies


class MissesTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.context = context.RequestContext('user', 'project')
        self.hosts = []
        self.host_manager = mock.create_autospec(host_manager.HostManager)
        self.host_manager.get_host_states_by_uuids.side_effect = (
            lambda elevated, computes, spec: iter(self.hosts)
        )
        self.useFixture(
            fixtures.MockPatchObject(
                servicegroup.API,
                'service_is_up',
                lambda _, service: service['up'],
            )
        )
        self.asked = []
        self.short = ['it needs 2 DISK_GB, 1 free', 'it needs 1 VCPU, 0 free']
        self.useFixture(
            fixtures.MockPatchObject(shortfall, 'reasons', self.reasons)
        )

    def reasons(self, placement, request, provider, spec):
        self.assertEqual(('placement', self.context), (placement, request))
        self.asked.append(provider)
        return self.short

    def host(self, name, used=0, up=True, disabled=False, stats='1'):
        cells = [topologies.host_cell(0), topologies.host_cell(1, used=used)]
        self.hosts.append(
            fakes.FakeHostState(
                name,
                name,
                {
                    'uuid': f'rp-{name}',
                    'numa_topology': topologies.host(*cells),
                    'pci_stats': None,
                    'stats': {'numa_migrate': stats},
                    'cpu_allocation_ratio': 1.0,
                    'ram_allocation_ratio': 1.0,
                    'service': {'up': up, 'disabled': disabled},
                    'allocation_candidates': [],
                },
            )
        )

    def found(self, **fields):
        spec = objects.RequestSpec(
            self.context,
            **{
                'numa_topology': topologies.guest(),
                'flavor': objects.Flavor(),
                'instance_uuid': uuids.instance,
                'pci_requests': None,
                'requested_destination': None,
                'ignore_hosts': None,
                **fields,
            },
        )
        a_plan = plan.Plan(
            self.context.request_id,
            hint.NodeMap((1,)),
            hint.CheckpointMode.REQUIRED,
        )
        return list(
            misses.of_request(
                self.host_manager, 'placement', self.context, spec, a_plan
            )
        )

    def test_hosts_that_take_nobody(self):
        self.host('compute1', disabled=True)
        self.host('compute2', up=False)
        self.host('compute3', stats='0')
        found = self.found()
        self.assertEqual([math.inf] * 3, [miss.lacks for miss in found])
        self.assertEqual(
            [
                'host compute1: its nova-compute is disabled',
                'host compute2: its nova-compute is down',
                'host compute3 does not run nova-numa-compute',
            ],
            [miss.text for miss in found],
        )

    def test_a_node_that_is_short_though_placement_did_not_offer_it(self):
        self.host('compute1', used=4096)
        (miss,) = self.found()
        self.assertEqual(1, miss.lacks)
        self.assertEqual(
            'compute1 node 1: needs 1024 MiB in pages of 4 KiB, 0 MiB free',
            miss.text,
        )
        self.assertEqual([], self.asked)

    def test_a_host_that_cannot_be_judged_hides_no_other(self):
        self.host('compute1', stats='0')
        self.host('compute2')
        self.hosts[1].numa_topology = 'broken'
        self.host('compute3', used=4096)
        found = {miss.text: miss.lacks for miss in self.found()}
        (broken,) = (text for text in found if 'compute2' in text)
        self.assertIn(
            'host compute2 could not be judged: AttributeError: ', broken
        )
        self.assertEqual(math.inf, found[broken])
        self.assertEqual(3, len(found))

    def test_a_host_whose_nodes_would_do(self):
        self.host('compute1')
        (miss,) = self.found()
        self.assertEqual(2, miss.lacks)
        self.assertEqual(
            'host compute1 has room on the nodes, but '
            'it needs 2 DISK_GB, 1 free; it needs 1 VCPU, 0 free',
            miss.text,
        )
        self.short = []
        (miss,) = self.found()
        self.assertEqual(1, miss.lacks)
        self.assertIn('look for what else was asked', miss.text)

    def test_placement_is_asked_of_the_first_alone(self):
        for number in (5, 4, 3, 2, 1):
            self.host(f'compute{number}')
        self.assertEqual(5, len(self.found()))
        self.assertEqual(
            ['rp-compute1', 'rp-compute2', 'rp-compute3'], self.asked
        )

    def test_hosts_that_the_request_was_barred_from(self):
        self.host('compute1')
        self.host('compute2')
        (miss,) = self.found(ignore_hosts=['compute1'])
        self.assertIn('compute2', miss.text)
        destination = objects.Destination(host='compute1', node='compute1')
        (miss,) = self.found(requested_destination=destination)
        self.assertIn('compute1', miss.text)
        cell = objects.Destination(cell=objects.CellMapping())
        self.assertEqual(2, len(self.found(requested_destination=cell)))
