# SPDX-License-Identifier: Apache-2.0
"""The cloud of the functional tests: hosts of four NUMA nodes each.

Two dedicated CPUs and one shared CPU a node, 4 GiB a node; each host runs the
plugin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import itertools
from typing import Any

from nova import context as nova_context
from nova import objects
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.functional.libvirt import test_numa_servers

from tests.functional import plugin
from tests.functional import whereabouts


def four_nodes() -> Any:
    """A host as this module's docstring describes it."""
    return fakelibvirt.HostInfo(
        cpu_nodes=4, cpu_sockets=1, cpu_cores=3, cpu_threads=1
    )


def _as_set(cpus: dict[int, set[int]]) -> str:
    return ','.join(str(c) for c in itertools.chain(*cpus.values()))


class NumaMigrateTestCase(
    whereabouts.WhereaboutsMixin,
    plugin.PluginMixin,
    test_numa_servers.NUMAServersTestBase,
):
    """A cloud of HOSTS, of which each runs the plugin."""

    HOSTS: Sequence[str] = ('compute1', 'compute2')
    microversion = 'latest'

    def setUp(self) -> None:
        super().setUp()
        self.flags(
            group='compute',
            cpu_dedicated_set=_as_set(whereabouts.DEDICATED),
            cpu_shared_set=_as_set(whereabouts.SHARED),
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
        specs: Mapping[str, str] | None = None,
        **disks: int,
    ) -> dict[str, Any]:
        """An ACTIVE server; a cell has two vCPUs, or one if not dedicated.

        :param specs: more of them for its flavor.
        :param disks: ``ephemeral`` (GiB) and ``swap`` (MiB).
        """
        specs = {'hw:numa_nodes': str(cells), **(specs or {})}
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

    def reserve(self, host: str, resource: str, but: int = 0) -> None:
        """Have Placement keep all of a resource of a host from guests.

        :param but: so much is left.
        """
        provider = self.compute_rp_uuids[host]
        inventories = self._get_provider_inventory(provider)
        kept = inventories[resource]
        kept['reserved'] = kept['total'] - but
        generation = self._get_resource_provider_by_uuid(provider)[
            'generation'
        ]
        self.placement.put(
            f'/resource_providers/{provider}/inventories',
            {
                'resource_provider_generation': generation,
                'inventories': inventories,
            },
            version='1.26',
        )

    def forget_in_placement(self, host: str) -> None:
        """Delete the provider of a host that has no guests."""
        provider = self.compute_rp_uuids[host]
        answer = self.placement.delete(f'/resource_providers/{provider}')
        self.assertEqual(204, answer.status)

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

    # -- what became of it

    def actions_of(
        self, server: dict[str, Any], api: Any = None
    ) -> list[dict[str, Any]]:
        """The last action's events, oldest first."""
        api = api or self.admin_api
        newest = api.get_instance_actions(server['id'])[0]
        detail = api.api_get(
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
