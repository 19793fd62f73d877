# SPDX-License-Identifier: Apache-2.0
"""The scheduler filter, on Nova's own request and host objects."""

import ddt
import fixtures
from nova import context
from nova import objects
from nova import test
from nova.pci import stats as pci_stats
from nova.scheduler import filters
from nova.tests.unit.scheduler import fakes
from nova.virt import hardware
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import plan
from nova_numa_migrate import scheduler
from nova_numa_migrate.scheduler import filter as numa_filter
from tests.unit import topologies

STATS = {'numa_migrate': '1'}


@ddt.ddt
class FilterTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.context = context.RequestContext('user', 'project')
        self.filter = numa_filter.NumaMigrateFilter()

    def request(self, *nodes, guest=None, request_id=None, **fields):
        a_plan = plan.Plan(
            request_id or self.context.request_id,
            hint.NodeMap(nodes),
            hint.CheckpointMode.REQUIRED,
        )
        return objects.RequestSpec(
            self.context,
            instance_uuid=uuids.instance,
            image=objects.ImageMeta(properties=objects.ImageMetaProps()),
            **{
                'numa_topology': guest or topologies.guest(len(nodes)),
                'flavor': objects.Flavor(extra_specs={}),
                'scheduler_hints': a_plan.added_to({}),
                'pci_requests': None,
                **fields,
            },
        )

    def host(self, topology=None, stats=STATS, candidates=1, **attributes):
        return fakes.FakeHostState(
            'compute2',
            'compute2',
            {
                'numa_topology': topology or topologies.host(),
                'pci_stats': None,
                'stats': stats,
                'cpu_allocation_ratio': 1.0,
                'ram_allocation_ratio': 1.5,
                'allocation_candidates': [{'mappings': {}}] * candidates,
                **attributes,
            },
        )

    def passes(self, host, request):
        return self.filter.filter_all([host], request) == [host]

    @ddt.data((0,), (3,), (3, 2), (2, 3), (0, 3), (3, 2, 1, 0))
    def test_passes(self, nodes):
        for dedicated in (True, False):
            guest = topologies.guest(len(nodes), dedicated, cpus=1)
            request = self.request(*nodes, guest=guest)
            self.assertIs(True, self.passes(self.host(), request))

    @ddt.data(((3,), 1), ((3, 1), 2), ((3, 1), 1))
    @ddt.unpack
    def test_a_bare_guest(self, nodes, vcpus):
        flavor = objects.Flavor(vcpus=vcpus, memory_mb=4096, extra_specs={})
        request = self.request(*nodes, numa_topology=None, flavor=flavor)
        self.assertTrue(self.passes(self.host(), request))
        flavor.vcpus = len(nodes) + 1
        self.assertFalse(self.passes(self.host(), request))
        a_plan = plan.Plan.of_spec(request, self.context.request_id)
        miss = self.filter.judge(self.host(), request, a_plan)
        self.assertIn('compute2 node 3: needs 2 shared CPUs', miss.text)

    def test_the_limits_go_to_the_claim(self):
        host = self.host()
        self.passes(host, self.request(1))
        limits = host.limits['numa_topology']
        self.assertEqual(1.0, limits.cpu_allocation_ratio)
        self.assertEqual(1.5, limits.ram_allocation_ratio)
        self.assertNotIn('network_metadata', limits)

    def test_the_networks_go_to_the_claim_too(self):
        metadata = objects.NetworkMetadata(physnets=set(), tunneled=False)
        host = self.host()
        request = self.request(1, network_metadata=metadata)
        self.assertTrue(self.passes(host, request))
        limits = host.limits['numa_topology']
        self.assertEqual(metadata, limits.network_metadata)

    def test_a_full_node(self):
        cells = [topologies.host_cell(0), topologies.host_cell(1, used=4000)]
        host = self.host(topologies.host(*cells))
        self.assertIs(False, self.passes(host, self.request(1)))
        self.assertEqual({}, host.limits)
        host = self.host(topologies.host(*cells))
        self.assertIs(True, self.passes(host, self.request(0)))

    def test_cells_that_fit_in_another_order_alone(self):
        cells = [topologies.host_cell(0, pinned={0}), topologies.host_cell(1)]
        guest = topologies.guest(2)
        guest.cells[1].pcpuset = {2}
        for nodes, passes in (((0, 1), False), ((1, 0), True)):
            host = self.host(topologies.host(*cells))
            request = self.request(*nodes, guest=guest)
            self.assertIs(passes, self.passes(host, request))

    def test_a_node_that_is_not_there(self):
        self.assertIs(False, self.passes(self.host(), self.request(7)))
        self.assertIs(False, self.passes(self.host(), self.request(1, 7)))

    @ddt.data({}, {'numa_migrate': '0'}, {'numa_migrate': '2'})
    def test_a_host_without_our_plugin(self, stats):
        request = self.request(1)
        self.assertIs(False, self.passes(self.host(stats=stats), request))

    def test_a_host_without_numa_topology(self):
        host = self.host()
        host.numa_topology = None
        self.assertIs(False, self.passes(host, self.request(1)))

    def test_no_allocation_candidate_is_left(self):
        host = self.host(candidates=0)
        self.assertIs(False, self.passes(host, self.request(1)))

    def test_a_refusal_is_told_in_the_log(self):
        with self.assertLogs(numa_filter.LOG.logger, 'DEBUG') as log:
            self.passes(self.host(), self.request(7))
            self.passes(
                self.host(), self.request(1, guest=topologies.guest(cpus=3))
            )
        self.assertIn(
            'compute2 has no NUMA node 7 (it has 0-3)', log.output[0]
        )
        self.assertIn(
            'compute2 node 1: needs 3 dedicated CPUs, 2 free', log.output[1]
        )

    def test_a_candidate_with_other_devices_is_dropped(self):
        stats = pci_stats.PciDeviceStats(topologies.host())
        stats.pools = [
            {
                'vendor_id': '8086',
                'product_id': '1',
                'numa_node': node,
                'count': 1,
                'rp_uuid': f'rp{node}',
            }
            for node in (1, 2)
        ]
        request = objects.InstancePCIRequest(
            count=1,
            alias_name='alias',
            request_id=uuids.request,
            spec=[{'product_id': '1'}],
            numa_policy='required',
        )
        candidates = [
            {'mappings': {f'{uuids.request}-0': [f'rp{node}']}}
            for node in (1, 2)
        ]
        host = self.host(pci_stats=stats, allocation_candidates=candidates)
        requests = objects.InstancePCIRequests(requests=[request])
        spec = self.request(2, pci_requests=requests)
        self.assertIs(True, self.passes(host, spec))
        self.assertEqual(candidates[1:], host.allocation_candidates)
        spec = self.request(0, pci_requests=requests)
        with self.assertLogs(numa_filter.LOG.logger, 'DEBUG') as log:
            self.assertIs(False, self.passes(host, spec))
        self.assertIn('PCI devices: those asked for', log.output[0])

    def test_what_it_has_on_the_present_host_counts(self):
        here = objects.Instance(uuid=uuids.instance)
        guest = topologies.guest(cpus=3)
        for instances, told in (({}, False), ({uuids.instance: here}, True)):
            with self.assertLogs(numa_filter.LOG.logger, 'DEBUG') as log:
                host = self.host()
                host.instances = instances
                self.passes(host, self.request(1, guest=guest))
            words = 'stays booked until the move is confirmed'
            self.assertIs(told, words in log.output[0])

    def test_another_requests_plan_is_none(self):
        request = self.request(7, request_id='req-of-another')
        self.assertIs(True, self.passes(self.host(stats={}), request))

    def test_without_a_plan_it_is_novas_own(self):
        hints = {'scheduler_hints': {}}
        request = self.request(7, **hints)
        self.assertIs(True, self.passes(self.host(stats={}), request))
        large = topologies.guest(memory=5000)
        request = self.request(0, guest=large, **hints)
        self.assertIs(False, self.passes(self.host(), request))

    def test_novas_own_fit_is_not_asked_about_a_plan(self):
        novas = self.useFixture(
            fixtures.MockPatchObject(
                hardware, 'numa_fit_instance_to_host', autospec=True
            )
        ).mock
        self.assertIs(True, self.passes(self.host(), self.request(3, 2)))
        novas.assert_not_called()

    def test_of_several_hosts_those_that_pass(self):
        hosts = [self.host(stats={}), self.host(), self.host(candidates=0)]
        request = self.request(3, 2)
        self.assertEqual(hosts[1:2], self.filter.filter_all(hosts, request))
        self.assertEqual([], self.filter.filter_all([], request))


class RegistrationTestCase(test.NoDBTestCase):
    def test_novas_loader_finds_it_where_nova_conf_names_it(self):
        handler = filters.HostFilterHandler()
        loaded = handler.get_matching_classes(
            ['nova_numa_migrate.scheduler.all_filters']
        )
        self.assertEqual([numa_filter.NumaMigrateFilter], loaded)

    def test_a_filter_that_does_not_load_is_not_left_out(self):
        self.assertRaises(
            ImportError, scheduler._fail, None, None, ImportError('broken')
        )
