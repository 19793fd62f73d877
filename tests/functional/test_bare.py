# SPDX-License-Identifier: Apache-2.0
"""Guests without a NUMA topology: bound to nodes by their hosts alone."""

from __future__ import annotations

from lxml import etree
from nova.virt import hardware

from tests.functional import base
from tests.functional import libvirt_errors
from tests.functional import whereabouts

HERE, THERE = 'compute1', 'compute2'
MIB = 512
PAGES = MIB * 1024 // 4


class BareMixin:
    """Guests of MIB, two vCPUs unless said otherwise."""

    def boot_bare(self, vcpus=2, host=HERE, **more):
        return self._create_server(
            flavor_id=self.flavor(vcpus),
            networks='none',
            host=host,
            api=self.admin_api,
            **more,
        )

    def flavor(self, vcpus=2, memory=MIB):
        return self._create_flavor(
            vcpu=vcpus, memory_mb=memory, disk=1, ephemeral=0
        )

    def domain(self, server):
        return etree.fromstring(self.guest(server).XMLDesc(0))

    def assert_bound(self, server, *shares, host=None):
        """Each of the nodes has so many of the vCPUs, as (node, count)."""
        self.assertIsNone(self.instance(server).numa_topology)
        if host is not None:
            self.assertEqual(host, self.host_of(server))
        domain = self.domain(server)
        nodes = [node for node, _ in shares]
        (memory,) = domain.iterfind('numatune/*')
        self.assertEqual(
            (
                'memory',
                'strict' if len(nodes) == 1 else 'interleave',
                set(nodes),
            ),
            (
                memory.tag,
                memory.get('mode'),
                hardware.parse_cpu_spec(memory.get('nodeset')),
            ),
        )
        owners = [node for node, count in shares for _ in range(count)]
        self.assertEqual(
            [
                (vcpu, whereabouts.SHARED[node])
                for vcpu, node in enumerate(owners)
            ],
            [
                (
                    int(pin.get('vcpu')),
                    hardware.parse_cpu_spec(pin.get('cpuset')),
                )
                for pin in domain.iterfind('cputune/vcpupin')
            ],
        )
        self.assertEqual(
            set().union(*(whereabouts.SHARED[node] for node in nodes)),
            hardware.parse_cpu_spec(domain.find('vcpu').get('cpuset')),
        )
        self.assertIsNone(domain.find('cpu/numa'))

    def assert_unbound(self, server, host=None):
        """As Nova has it, and nothing says anything else."""
        if host is not None:
            self.assertEqual(host, self.host_of(server))
        domain = self.domain(server)
        self.assertIsNone(domain.find('numatune'))
        self.assertEqual([], domain.findall('cputune/vcpupin'))
        self.assertEqual(
            set().union(*whereabouts.SHARED.values()),
            hardware.parse_cpu_spec(domain.find('vcpu').get('cpuset')),
        )

    def hard_reboot(self, server):
        self._reboot_server(server, hard=True, api=self.admin_api)

    def move(self, server, nodes, host=None):
        self.hinted_migrate(server, nodes, host)
        self.confirm(server)

    def shown(self, server):
        return self.admin_api.api_get(
            f'/servers/{server["id"]}/os-numa-placement'
        ).body['numa_placement']


class MoveTest(BareMixin, base.NumaMigrateTestCase):
    def test_onto_one_node(self):
        server = self.boot_bare(1)
        self.assert_unbound(server)
        with self.assert_goes_on(server):
            self.hinted_migrate(server, [1])
            self.assert_bound(server, (1, 1), host=THERE)
            self.confirm(server)
            self.assert_bound(server, (1, 1))
        self.assertEqual({HERE: [], THERE: []}, self.checkpoint_files())
        self.assert_audited({HERE: set(), THERE: set()})
        self._assert_allocated(self.instance(server), THERE)

    def test_over_two_nodes(self):
        server = self.boot_bare(2)
        with self.assert_goes_on(server):
            self.move(server, [3, 1])
        self.assert_bound(server, (3, 1), (1, 1), host=THERE)

    def test_over_more_nodes_than_vcpus(self):
        server = self.boot_bare(1)
        self.move(server, [2, 0, 3])
        self.assert_bound(server, (2, 1), (0, 0), (3, 0))

    def test_it_stays_bound_whatever_boots_it(self):
        server = self.boot_bare(1)
        self.move(server, [2])
        boots = {self.guest(server).memory.boot_id}
        self.hard_reboot(server)
        boots.add(self.guest(server).memory.boot_id)
        self.assert_bound(server, (2, 1))
        self._stop_server(server)
        self._start_server(server)
        boots.add(self.guest(server).memory.boot_id)
        self.assert_bound(server, (2, 1))
        image = self.admin_api.get_server(server['id'])['image']['id']
        self._rebuild_server(server, image)
        boots.add(self.guest(server).memory.boot_id)
        self.assert_bound(server, (2, 1), host=THERE)
        self.assertEqual(4, len(boots))

    def test_a_stopped_one_is_bound_at_its_next_start(self):
        server = self.boot_bare(2)
        self._stop_server(server)
        self.hinted_migrate(server, [0, 2])
        self.assertEqual([], self.running_on(server))
        self.post_action(server, {'confirmResize': None}, 204)
        self.wait_for(server, 'SHUTOFF')
        self._start_server(server)
        self.assert_bound(server, (0, 1), (2, 1), host=THERE)

    def test_without_its_state(self):
        server = self.boot_bare(1)
        boot_id = self.guest(server).memory.boot_id
        hints = self.hints([3], numa_checkpoint='never')
        self.post_action(server, {'migrate': {'os:scheduler_hints': hints}})
        self.wait_for(server, 'VERIFY_RESIZE')
        self.assertNotEqual(boot_id, self.guest(server).memory.boot_id)
        self.assert_bound(server, (3, 1), host=THERE)

    def test_from_node_to_node_on_its_host(self):
        server = self.boot_bare(1)
        with self.assert_goes_on(server):
            for nodes in ([1], [2], [3, 0], [0]):
                self.hinted_migrate(server, nodes, HERE)
                self.assert_bound(
                    server,
                    *zip(nodes, (1, 0), strict=False),
                    host=HERE,
                )
                self.confirm(server)
            answer = self.post_migrate(server, [0], HERE, 400)
        self.assertIn('is on host compute1', str(answer.body))

    def test_a_server_is_created_on_a_node(self):
        body = {
            'server': self._build_server(
                flavor_id=self.flavor(), networks='none'
            ),
            'os:scheduler_hints': {'numa_node': '3,1'},
        }
        server = self.admin_api.api_post('/servers', body).body['server']
        self.wait_for(server, 'ACTIVE')
        self.assert_bound(server, (3, 1), (1, 1))


class PlanTest(BareMixin, base.NumaMigrateTestCase):
    def plan(self, server, **hints):
        """What the dry run says of the other host: nodes and reasons."""
        body = {'os-numaMigratePlan': {'os:scheduler_hints': hints}}
        answer = self.post_action(server, body, 200).body
        (host,) = answer['numa_migrate_plan']['hosts']
        self.assertEqual(not host['reasons'], host['fits'])
        return host['numa_node'], host['reasons']

    def test_yes_and_no(self):
        server = self.boot_bare(2)
        self.assertEqual(([3, 1], []), self.plan(server, numa_node='3,1'))
        # A shared CPU a node.
        no = 'compute2 node 1: needs 2 shared CPUs, it has 1'
        self.assertEqual(([1], [no]), self.plan(server, numa_node='1'))
        _, reasons = self.plan(server)
        self.assertIn(no, reasons)
        small = self.boot_bare(1)
        (node,), reasons = self.plan(small)
        self.assertEqual([], reasons)
        self.hinted_migrate(small, [node])
        self.assert_bound(small, (node, 1), host=THERE)


class MeasuredTest(BareMixin, base.NumaMigrateTestCase):
    def test_one_node(self):
        server = self.boot_bare(1)
        self.assertIn('bound to no node', self.shown(server)['error'])
        self.hinted_migrate(server, [1])
        found = self.shown(server)
        self.assertEqual('now', found['measured'])
        self.assertEqual(
            [
                {
                    'cell': 0,
                    'memory_mb': MIB,
                    'page_size_kb': None,
                    'vcpus': [0],
                    'asked_node': 1,
                    'claimed_node': 1,
                    'pinned_cpus': {},
                    'pages': {'1': PAGES},
                    'share': 1.0,
                }
            ],
            found['cells'],
        )

    def test_shares_over_two(self):
        server = self.boot_bare(2)
        self.hinted_migrate(server, [3, 1])
        cells = self.shown(server)['cells']
        half = PAGES // 2
        for cell, node, vcpus in zip(cells, (3, 1), ([0], [1]), strict=True):
            self.assertEqual(0, cell['cell'])
            self.assertEqual(node, cell['asked_node'])
            self.assertEqual(node, cell['claimed_node'])
            self.assertEqual(vcpus, cell['vcpus'])
            self.assertEqual(MIB // 2, cell['memory_mb'])
            self.assertEqual({'1': half, '3': half}, cell['pages'])
            self.assertEqual(0.5, cell['share'])
        self.assertNotIn('WARNING', self._told_of_memory())
        self.confirm(server)
        cells = self.shown(server)['cells']
        self.assertEqual([3, 1], [cell['claimed_node'] for cell in cells])
        self.assertEqual([None] * 2, [cell['asked_node'] for cell in cells])

    def _told_of_memory(self):
        return '\n'.join(
            line
            for line in self.stdlog.logger.output.splitlines()
            if 'Guest memory' in line
        )

    def test_the_guests_of_a_node(self):
        server = self.boot_bare(2)
        self.move(server, [3, 1])
        host = self.admin_api.api_get(f'/os-numa-nodes/{THERE}').body
        self.assertEqual(
            {0: [], 1: [[1]], 2: [], 3: [[0]]},
            {
                node['id']: [guest['vcpus'] for guest in node['guests']]
                for node in host['numa_host']['numa_nodes']
            },
        )


class DroppedTest(BareMixin, base.NumaMigrateTestCase):
    """By every move without a hint; and a revert puts it back."""

    def setUp(self):
        super().setUp()
        self.server = self.boot_bare(1)
        self.move(self.server, [2])
        self.assert_bound(self.server, (2, 1), host=THERE)

    def assert_dropped(self, host):
        self.assert_unbound(self.server, host)
        self.hard_reboot(self.server)
        self.assert_unbound(self.server)
        metadata = self.instance(self.server).system_metadata
        self.assertEqual([], [key for key in metadata if 'bind' in key])

    def test_a_migration(self):
        self._migrate_server(self.server, api=self.admin_api)
        self.assert_unbound(self.server, HERE)
        self.confirm(self.server)
        self.assert_dropped(HERE)

    def test_a_migration_that_is_reverted(self):
        self._migrate_server(self.server, api=self.admin_api)
        self.revert(self.server)
        self.assert_bound(self.server, (2, 1), host=THERE)
        self.hard_reboot(self.server)
        self.assert_bound(self.server, (2, 1))

    def test_a_resize_on_its_host(self):
        self.flags(allow_resize_to_same_host=True)
        self.computes[HERE].stop()
        body = {'resize': {'flavorRef': self.flavor(2)}}
        self.post_action(self.server, body)
        self.wait_for(self.server, 'VERIFY_RESIZE')
        self.assert_unbound(self.server, THERE)
        self.revert(self.server)
        self.assert_bound(self.server, (2, 1), host=THERE)

    def test_a_live_migration(self):
        with self.assert_goes_on(self.server):
            self._live_migrate('completed')
        self.assert_dropped(HERE)

    def test_a_live_migration_that_fails(self):
        reached = []

        def fail(uri):
            reached.append(uri)
            raise libvirt_errors.unreachable(uri)

        self.connection(THERE).reach = fail
        with self.assert_goes_on(self.server):
            self.guest(self.server).fail_job()
            self._live_migrate('failed', 'error')
        self.assertEqual(1, len(reached))
        self.assert_bound(self.server, (2, 1), host=THERE)

    def _live_migrate(self, *ends):
        self.post_action(
            self.server,
            {'os-migrateLive': {'host': HERE, 'block_migration': 'auto'}},
        )
        self._wait_for_server_parameter(
            self.server, {'OS-EXT-STS:task_state': None}
        )
        self._wait_for_assert(
            lambda: self.assertIn(self._migration_status(self.server), ends)
        )

    def test_an_unshelve_on_the_very_host(self):
        self.flags(shelved_offload_time=0)
        self._shelve_server(self.server, 'SHELVED_OFFLOADED')
        self.computes[HERE].stop()
        self._unshelve_server(self.server)
        self.assert_dropped(THERE)

    def test_an_evacuation(self):
        self.computes[THERE].stop()
        self.admin_api.put_service_force_down(
            self.computes[THERE].service_ref.uuid, True
        )
        self.connection(THERE)._vms.clear()
        self._evacuate_server(self.server, expected_host=HERE)
        self._start_server(self.server)
        self.assert_dropped(HERE)
