# SPDX-License-Identifier: Apache-2.0
"""``openstack server numa show``."""

import argparse
from collections.abc import Iterator
from typing import Any

from osc_lib.command import command

from nova_numa_migrate.client import columns
from nova_numa_migrate.client import errors
from nova_numa_migrate.client import request
from nova_numa_migrate.client.resources import NumaPlacement

_COLUMNS = (
    'Cell',
    'vCPUs',
    'Memory MB',
    'Asked Node',
    'Host',
    'Host Node',
    'Pinned CPUs',
    'Pages per Node',
    'On Host Node',
)


class ShowServerNuma(command.Lister):
    """Show on which host NUMA nodes a server is, one line a guest cell"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the server."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        request.add_server_argument(parser)
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """One row a guest cell; pages that are not of now are a warning.

        :raises CommandError: as the cloud refuses it
        """
        compute = self.app.client_manager.compute  # type: ignore[attr-defined]
        with errors.told():
            server = compute.find_server(
                parsed_args.server, ignore_missing=False
            )
            found = NumaPlacement.new(server_id=server.id).fetch(
                compute, requires_id=False
            )
        if found.error:
            self.log.warning(
                'its pages were %s: %s',
                'counted after its last move, and not now'
                if found.measured
                else 'not counted',
                found.error,
            )
        return _COLUMNS, (_row(found.host, cell) for cell in found.cells)


def _row(host: str | None, cell: dict[str, Any]) -> tuple[Any, ...]:
    return (
        cell['cell'],
        columns.Ids(cell['vcpus']),
        cell['memory_mb'],
        cell['asked_node'],
        host,
        cell['claimed_node'],
        columns.Pairs(cell['pinned_cpus']),
        columns.Pairs(cell['pages']),
        columns.Percent(cell['share']),
    )
