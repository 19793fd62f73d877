# SPDX-License-Identifier: Apache-2.0
"""The plugin in Nova's own test cases of its libvirt services.

The services are Nova's, with what the plugin puts in their place exactly as an
operator installs it: the paste file, the scheduler filter, and
``seams.install()``.
"""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock
import urllib.parse

import fixtures
from nova import service
from nova.compute import resource_tracker

from nova_numa_migrate import privsep
from nova_numa_migrate import seams
from nova_numa_migrate.api import policy
from tests import fake_nodes
from tests.functional import fake_disks
from tests.functional import fake_hosts
from tests.functional import fake_libvirt
from tests.functional import paste

_DRIVER = 'nova.virt.numa_migrate'
# Of half a second each.
_TRIES = 1200


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
