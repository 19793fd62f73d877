# SPDX-License-Identifier: Apache-2.0
"""``openstack numa node list`` and ``openstack numa node show``."""

import argparse
from collections.abc import Iterator
from typing import Any

from osc_lib import exceptions
from osc_lib.command import command

from nova_numa_migrate.client import columns
from nova_numa_migrate.client import errors
from nova_numa_migrate.client.resources import NumaHost

_LISTED = (
    'Host',
    'Node',
    'Dedicated CPUs',
    'Dedicated Used',
    'Shared CPUs',
    'Shared vCPUs',
    'Memory MB',
    'Free MB',
    'Page Pools',
    'Guest Cells',
)


class ListNumaNode(command.Lister):
    """List the NUMA nodes of the compute hosts of all cells"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the one filter."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            '--host',
            metavar='<host>',
            help='Only the nodes of this compute host (exact name)',
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """One row a node; what is not known of a host is a warning.

        :raises CommandError: there is no host of that name, or as the cloud
            refuses it
        """
        query = {'host': parsed_args.host} if parsed_args.host else {}
        compute = self.app.client_manager.compute  # type: ignore[attr-defined]
        with errors.told():
            hosts = list(NumaHost.list(compute, **query))
        if parsed_args.host and not hosts:
            raise exceptions.CommandError(
                f'there is no compute host {parsed_args.host}'
            )
        for host in hosts:
            if host.error:
                self.log.warning('host %s: %s', host.host, host.error)
        rows = (
            _row(host.host, node) for host in hosts for node in host.numa_nodes
        )
        return _LISTED, rows


class ShowNumaNode(command.ShowOne):
    """Show one NUMA node of a compute host"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add host and node."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument('host', metavar='<host>', help='Compute host')
        parser.add_argument(
            'node', metavar='<node>', type=int, help='Id of the NUMA node'
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Everything that the API tells of the node.

        :raises CommandError: there is no such node, or as the cloud refuses
        """
        compute = self.app.client_manager.compute  # type: ignore[attr-defined]
        with errors.told():
            host = NumaHost.new(id=parsed_args.host).fetch(compute)
        for node in host.numa_nodes:
            if node['id'] == parsed_args.node:
                shown = _shown(host.host, node)
                return tuple(shown), tuple(shown.values())
        ids = [node['id'] for node in host.numa_nodes]
        raise exceptions.CommandError(
            f'host {host.host} has no NUMA node {parsed_args.node} '
            f'({host.error or f"it has {columns.ranges(ids)}"})'
        )


def _row(host: str, node: dict[str, Any]) -> tuple[Any, ...]:
    cpus, memory = node['cpus'], node['memory_mb']
    return (
        host,
        node['id'],
        columns.Ids(cpus['dedicated']),
        columns.Ids(cpus['dedicated_used']),
        columns.Ids(cpus['shared']),
        cpus['shared_vcpus_used'],
        memory['total'],
        memory['free'],
        columns.Pools(node['page_pools']),
        len(node['guests']),
    )


def _shown(host: str, node: dict[str, Any]) -> dict[str, Any]:
    cpus, memory = node['cpus'], node['memory_mb']
    return {
        'host': host,
        'node': node['id'],
        'dedicated_cpus': columns.Ids(cpus['dedicated']),
        'dedicated_cpus_used': columns.Ids(cpus['dedicated_used']),
        'shared_cpus': columns.Ids(cpus['shared']),
        'shared_vcpus_used': cpus['shared_vcpus_used'],
        'memory_mb': memory['total'],
        'memory_used_mb': memory['used'],
        'memory_free_mb': memory['free'],
        'page_pools': columns.Pools(node['page_pools']),
        'distances': columns.Pairs(node['distances']),
        'guests': columns.Guests(node['guests']),
    }
