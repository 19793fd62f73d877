# SPDX-License-Identifier: Apache-2.0
"""``openstack server numa plan``, which ``server migrate --dry-run`` shows."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from cliff import command as cliff_command
from cliff import lister as cliff_lister
from openstack import exceptions as sdk_exceptions
from osc_lib.command import command

from nova_numa_migrate.client import columns
from nova_numa_migrate.client import errors
from nova_numa_migrate.client import request

ACTION = 'os-numaMigratePlan'

_COLUMNS = ('Host', 'Fits', 'Host Nodes', 'Reasons')


class PlanServerNuma(command.Lister):
    """Say to which hosts a server could be moved, and why not to the others"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the hint and the rest of what a migrate would have."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        request.add_hint_option(
            parser,
            'Hint of the migration: numa_node=1, numa_node=3,2 or '
            'numa_checkpoint=required|preferred|never; without numa_node, '
            'nodes that do are looked for (repeat option to set several)',
        )
        parser.add_argument(
            '--host', metavar='<hostname>', help='Only this destination'
        )
        request.add_server_argument(parser)
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """One row a host: first those that do, then the nearest misses.

        :raises CommandError: as the cloud refuses it
        """
        compute = self.app.client_manager.compute  # type: ignore[attr-defined]
        with errors.told():
            server = compute.find_server(
                parsed_args.server, ignore_missing=False
            )
            plan = _ask(
                compute, server.id, parsed_args.hints, parsed_args.host
            )
        if plan['hosts_omitted']:
            self.log.warning(
                '%d more hosts are not shown', plan['hosts_omitted']
            )
        return _COLUMNS, (_row(host) for host in plan['hosts'])


class _Given(cliff_command.Command):
    """A command whose parser is another's."""

    given: argparse.ArgumentParser

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return self.given


class _Output(cliff_lister.Lister, _Given):
    """What cliff adds to the parser of a list, and nothing else."""

    take_action = PlanServerNuma.take_action


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Have a command that shows the plan take ``-f``, ``-c`` and the like."""
    output = _Output(None, None)  # type: ignore[arg-type]
    output.given = parser
    output.get_parser('')


def _ask(
    compute: Any,
    server_id: str,
    hints: Mapping[str, list[str]],
    host: str | None,
) -> dict[str, Any]:
    body = {'host': host, request.HINTS_KEY: request.values(hints)}
    response = compute.post(
        f'/servers/{server_id}/action', json={ACTION: body}
    )
    sdk_exceptions.raise_from_response(response)
    plan: dict[str, Any] = response.json()['numa_migrate_plan']
    return plan


def _row(host: dict[str, Any]) -> tuple[Any, ...]:
    return (
        host['host'],
        columns.YesNo(host['fits']),
        columns.Ordered(host['numa_node']),
        columns.Lines(host['reasons']),
    )
