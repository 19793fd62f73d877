# SPDX-License-Identifier: Apache-2.0
"""The cloud of the functional tests: hosts of four NUMA nodes each.

Two dedicated CPUs and one shared CPU a node, 4 GiB a node.  The services are
Nova's, with what the plugin puts in their place exactly as an operator
installs it: the paste file, the scheduler filter, and ``seams.install()``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import contextlib
import itertools
import sys
from typing import Any
from unittest import mock
import urllib.parse

import fixtures
from lxml import etree
from nova import context as nova_context
from nova import objects
from nova import service
from nova.compute import resource_tracker
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.functional.libvirt import test_numa_servers
from nova.virt import hardware

from nova_numa_migrate import privsep
from nova_numa_migrate import seams
from nova_numa_migrate.api import policy
from tests import fake_nodes
from tests.functional import fake_disks
from tests.functional import fake_hosts
from tests.functional import fake_libvirt
from tests.functional import paste

NODES = range(4)
DEDICATED = {node: {3 * node, 3 * node + 1} for node in NODES}
SHARED = {node: {3 * node + 2} for node in NODES}

_DRIVER = 'nova.virt.numa_migrate'
# Of half a second each.
_TRIES = 1200


def four_nodes() -> Any:
    """A host as this module's docstring describes it."""
    return fakelibvirt.HostInfo(
        cpu_nodes=4, cpu_sockets=1, cpu_cores=3, cpu_threads=1
    )


def _as_set(cpus: dict[int, set[int]]) -> str:
    return ','.join(str(c) for c in itertools.chain(*cpus.values()))


class SeamsFixture(fixtures.Fixture):
    """What nova-numa-compute replaces in its process, undone at the end."""

    def _setUp(self) -> None:
        self.useFixture(
            fixtures.MockPatchObject(
                resource_tracker, 'claims', resource_tracker.claims
            )
        )
        managers = mock.patch.dict(service.SERVICE_MANAGERS)
        managers.start()
        self.addCleanup(managers.stop)
        self.addCleanup(sys.modules.pop, _DRIVER, None)
        seams.install()


# Whatever test case of Nova's it is mixed into.
_AnyTestCase: Any = object


class PluginMixin(_AnyTestCase):
    """Puts the plugin into a test class of Nova's libvirt services."""

    ADDITIONAL_FILTERS = ['NumaMigrateFilter']

    def setUp(self) -> None:
        self.hosts = self.useFixture(fake_hosts.FakeHostsFixture())
        self.useFixture(fake_libvirt.FakeLibvirtFixture())
        self.nodes = self.useFixture(fake_nodes.FakeNodesFixture())
        self.useFixture(SeamsFixture())
        self.useFixture(
            fixtures.MockPatchObject(privsep.context, 'client_mode', False)
        )
        self.useFixture(
            fixtures.MonkeyPatch(
                'nova_numa_migrate.privsep.read_guest_process',
                self._read_guest_process,
            )
        )
        # They are read once in a process.
        policy._enforcer.cache_clear()
        directory = self.useFixture(fixtures.TempDir()).path
        self.flags(group='wsgi', api_paste_config=paste.extended(directory))
        self.flags(
            group='filter_scheduler',
            available_filters=[
                'nova.scheduler.filters.all_filters',
                'nova_numa_migrate.scheduler.all_filters',
            ],
        )
        super().setUp()
        self.flags(rpc_response_timeout=600, service_down_time=3600)
        self.flags(compute_driver='numa_migrate.NumaLibvirtDriver')
        self.useFixture(fake_disks.FakeDisksFixture())

    def start_compute(self, hostname='compute1', *args, **kwargs):
        host = self.hosts.add(hostname)
        with host.entered():
            super().start_compute(hostname, *args, **kwargs)
        host.bind(self.computes[hostname].driver)
        self.connection(hostname).reach = self._reach
        return hostname

    def _reach(self, uri: str) -> Any:
        """The libvirt at the address of a live migration."""
        (name,) = (
            name
            for name, host in self.hosts.hosts.items()
            if urllib.parse.urlsplit(uri).hostname in (name, host.address)
        )
        return self.connection(name)

    # Nova's own waits give up after five seconds, which is too early where
    # the machine has other work.

    def _wait_for_server_parameter(
        self, server, expected, max_retries=10, *args, **kwargs
    ):
        return super()._wait_for_server_parameter(
            server, expected, max(max_retries, _TRIES), *args, **kwargs
        )

    def _wait_for_assert(self, check, max_retries=10, sleep=0.5):
        super()._wait_for_assert(check, max(max_retries, _TRIES), sleep)

    def connection(self, host: str) -> Any:
        return self.computes[host].driver._host.get_connection()

    def _read_guest_process(self, domain: str) -> tuple[str, str, str]:
        here = self.connection(fake_hosts.here().name)
        process: tuple[str, str, str] = here._vms[domain].process()
        return process

    def start_stock_compute(self, hostname: str, **kwargs: Any) -> None:
        """A host that runs Nova's own nova-compute."""
        stock = {'nova-compute': 'nova.compute.manager.ComputeManager'}
        self.flags(compute_driver='libvirt.LibvirtDriver')
        try:
            with mock.patch.dict(service.SERVICE_MANAGERS, stock):
                self.start_compute(hostname, **kwargs)
            # In its own process its claims would be Nova's; here they are
            # made in a module that it shares with the other hosts.
            self.computes[hostname].manager.rt.node_map_of = lambda uuid: None
        finally:
            self.flags(compute_driver='numa_migrate.NumaLibvirtDriver')


class NumaMigrateTestCase(PluginMixin, test_numa_servers.NUMAServersTestBase):
    """A cloud of HOSTS, of which each runs the plugin."""

    HOSTS: Sequence[str] = ('compute1', 'compute2')
    microversion = 'latest'

    def setUp(self) -> None:
        super().setUp()
        self.flags(
            group='compute',
            cpu_dedicated_set=_as_set(DEDICATED),
            cpu_shared_set=_as_set(SHARED),
        )
        self.flags(vif_plugging_timeout=0)
        for host in self.HOSTS:
            self.start_compute(host, host_info=four_nodes())

    # -- a server and its guest

    def boot(
        self,
        cells: int = 2,
        dedicated: bool = True,
        host: str | None = None,
        **disks: int,
    ) -> dict[str, Any]:
        """An ACTIVE server; a cell has two vCPUs, or one if not dedicated.

        :param disks: ``ephemeral`` (GiB) and ``swap`` (MiB).
        """
        specs = {'hw:numa_nodes': str(cells)}
        if dedicated:
            specs['hw:cpu_policy'] = 'dedicated'
        flavor = self._create_flavor(
            vcpu=cells * (2 if dedicated else 1),
            memory_mb=512 * cells,
            disk=1,
            extra_spec=specs,
            **{'ephemeral': 0, **disks},
        )
        server: dict[str, Any] = self._create_server(
            flavor_id=flavor,
            networks='none',
            host=host or self.HOSTS[0],
            api=self.admin_api,
        )
        return server

    def instance(self, server: dict[str, Any]) -> Any:
        return objects.Instance.get_by_uuid(
            nova_context.get_admin_context(),
            server['id'],
            expected_attrs=['system_metadata', 'numa_topology', 'flavor'],
        )

    def host_of(self, server: dict[str, Any]) -> str:
        found: str = self.admin_api.get_server(server['id'])[
            'OS-EXT-SRV-ATTR:host'
        ]
        return found

    def other_host(self, server: dict[str, Any]) -> str:
        (found,) = set(self.HOSTS) - {self.host_of(server)}
        return found

    def guest(self, server: dict[str, Any]) -> Any:
        """The domain on the host where Nova says that the server is."""
        return self.connection(self.host_of(server)).lookupByUUIDString(
            server['id']
        )

    def running_on(self, server: dict[str, Any]) -> list[str]:
        """The hosts on which the guest runs; more than one is a disaster."""
        return [
            host
            for host in self.computes
            for domain in self.connection(host)._vms.values()
            if domain.UUIDString() == server['id'] and domain.isActive()
        ]

    @contextlib.contextmanager
    def assert_goes_on(self, server: dict[str, Any]) -> Iterator[None]:
        """What happens within neither reboots nor loses nor doubles it."""
        memory = self.guest(server).memory
        boot_id, counter = memory.boot_id, memory.tick()
        yield
        self.assertEqual([self.host_of(server)], self.running_on(server))
        memory = self.guest(server).memory
        self.assertEqual(boot_id, memory.boot_id, 'the guest has rebooted')
        self.assertEqual(counter + 1, memory.tick())

    # -- requests

    def hints(self, nodes: Any, **more: str) -> dict[str, Any]:
        """The value of os:scheduler_hints for a node list or a text."""
        if not isinstance(nodes, str):
            nodes = ','.join(str(node) for node in nodes)
        return {'numa_node': nodes, **more}

    def post_migrate(
        self,
        server: dict[str, Any],
        nodes: Any,
        host: str | None = None,
        status: int = 202,
        api: Any = None,
    ) -> Any:
        """Ask for the move; the answer, which must have that status."""
        body = {'host': host, 'os:scheduler_hints': self.hints(nodes)}
        return self.post_action(server, {'migrate': body}, status, api)

    def post_action(
        self,
        server: dict[str, Any],
        body: dict[str, Any],
        status: int = 202,
        api: Any = None,
    ) -> Any:
        return (api or self.admin_api).api_post(
            f'/servers/{server["id"]}/action',
            body,
            check_response_status=[status],
        )

    def hinted_migrate(
        self, server: dict[str, Any], nodes: Any, host: str | None = None
    ) -> dict[str, Any]:
        """Move to the nodes and wait until it can be confirmed."""
        self.post_migrate(server, nodes, host)
        return self.wait_for(server, 'VERIFY_RESIZE')

    def wait_for(self, server: dict[str, Any], status: str) -> dict[str, Any]:
        found: dict[str, Any] = self._wait_for_state_change(server, status)
        return found

    def confirm(self, server: dict[str, Any]) -> dict[str, Any]:
        confirmed: dict[str, Any] = self._confirm_resize(server)
        return confirmed

    def revert(self, server: dict[str, Any]) -> dict[str, Any]:
        reverted: dict[str, Any] = self._revert_resize(server)
        return reverted

    def wait_for_failure(self, server: dict[str, Any]) -> None:
        """Until its migration has failed and it has no task left."""
        self._wait_for_server_parameter(
            server, {'OS-EXT-STS:task_state': None}
        )
        self.assertEqual('error', self._migration_status(server))

    def _migration_status(self, server: dict[str, Any]) -> str | None:
        found = self.admin_api.api_get('/os-migrations').body['migrations']
        newest = max(
            (one for one in found if one['instance_uuid'] == server['id']),
            key=lambda migration: migration['id'],
            default={'status': None},
        )
        status: str | None = newest['status']
        return status

    # -- where it is

    def assert_on_nodes(
        self, server: dict[str, Any], nodes: Sequence[int]
    ) -> None:
        """Nova, libvirt and Placement agree that it is on these nodes.

        ``nodes[i]`` is the host node of guest cell ``i``.
        """
        self.assert_guest_on_nodes(server, nodes)
        instance, host = self.instance(server), self.host_of(server)
        # After a failure Nova gives it back when the server's task is over.
        self._wait_for_assert(lambda: self._assert_allocated(instance, host))

    def assert_guest_on_nodes(
        self, server: dict[str, Any], nodes: Sequence[int]
    ) -> None:
        """The same without Placement."""
        instance = self.instance(server)
        cells = instance.numa_topology.cells
        self.assertEqual(list(nodes), [cell.id for cell in cells])
        domain = etree.fromstring(self.guest(server).XMLDesc(0))
        self.assertEqual(
            {str(cell): str(node) for cell, node in enumerate(nodes)},
            {
                memnode.get('cellid'): memnode.get('nodeset')
                for memnode in domain.iterfind('numatune/memnode')
            },
        )
        pins = {
            int(pin.get('vcpu', '')): hardware.parse_cpu_spec(
                pin.get('cpuset')
            )
            for pin in domain.iterfind('cputune/vcpupin')
        }
        self.assertEqual(instance.flavor.vcpus, len(pins))
        for cell, node in zip(cells, nodes, strict=True):
            self._assert_pinned(cell, node, pins)

    def _assert_pinned(
        self, cell: Any, node: int, pins: dict[int, set[int]]
    ) -> None:
        for vcpu in cell.cpuset:
            self.assertEqual(SHARED[node], pins[vcpu])
        for vcpu in cell.pcpuset:
            self.assertEqual({cell.cpu_pinning[vcpu]}, pins[vcpu])
        self.assertLessEqual(
            {cell.cpu_pinning[vcpu] for vcpu in cell.pcpuset}, DEDICATED[node]
        )

    def _assert_allocated(self, instance: Any, host: str) -> None:
        specs = instance.flavor.extra_specs
        dedicated = specs.get('hw:cpu_policy') == 'dedicated'
        allocations = self._get_allocations_by_server_uuid(instance.uuid)
        self.assertEqual([self.compute_rp_uuids[host]], list(allocations))
        expected = {
            'PCPU' if dedicated else 'VCPU': instance.flavor.vcpus,
            'MEMORY_MB': instance.flavor.memory_mb,
        }
        if instance.flavor.root_gb:
            expected['DISK_GB'] = instance.flavor.root_gb
        found = allocations[self.compute_rp_uuids[host]]['resources']
        self.assertEqual(expected, found)

    def used_nodes(self, host: str) -> set[int]:
        """The nodes of the host that have pinned CPUs, by its own account."""
        node = objects.ComputeNode.get_by_nodename(
            nova_context.get_admin_context(), host
        )
        topology = objects.NUMATopology.obj_from_db_obj(node.numa_topology)
        return {cell.id for cell in topology.cells if cell.pinned_cpus}

    def assert_audited(self, used: dict[str, set[int]]) -> None:
        """Each host's own account of its nodes, and its audit of it."""
        for audited in (False, True):
            if audited:
                self._run_periodics()
            self.assertEqual(
                used, {host: self.used_nodes(host) for host in used}
            )
        self.assertNotIn(
            'Error updating resources for node', self.stdlog.logger.output
        )

    def actions_of(self, server: dict[str, Any]) -> list[dict[str, Any]]:
        """The last action's events, oldest first."""
        newest = self.admin_api.get_instance_actions(server['id'])[0]
        detail = self.admin_api.api_get(
            f'/servers/{server["id"]}/os-instance-actions/'
            f'{newest["request_id"]}'
        ).body['instanceAction']
        return sorted(detail['events'], key=lambda e: e['start_time'])

    def checkpoint_files(self) -> dict[str, list[str]]:
        """Every file of every host's checkpoint directory."""
        return {
            name: host.checkpoint_files()
            for name, host in self.hosts.hosts.items()
        }
