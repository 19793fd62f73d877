# SPDX-License-Identifier: Apache-2.0
"""``--hint`` and ``--dry-run`` for the stock ``openstack server migrate``.

A cliff command hook: the command, its other options and its rules stay
python-openstackclient's.  Only a call with ``--hint`` is changed: the hints
travel inside its request, and its ``--wait`` ends with the truth about the
move rather than with "active", which a refused move is too.
"""

import argparse
from collections.abc import Callable
import functools
import time
from typing import Any

from cliff import hooks
from openstack import utils as sdk_utils
from osc_lib import exceptions

from nova_numa_migrate.client import errors
from nova_numa_migrate.client import outcome
from nova_numa_migrate.client import progress
from nova_numa_migrate.client import request
from nova_numa_migrate.client import server_numa_plan


class NumaMigrateHook(hooks.CommandHook):
    """Adds ``--hint`` and ``--dry-run`` to ``server migrate``."""

    def get_parser(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        request.add_hint_option(
            parser,
            'Hint for a cold migration, as numa_node=1 (the host node '
            'of the only guest cell), numa_node=3,2 (of each guest cell, '
            'in order) or numa_checkpoint=required|preferred|never '
            '(repeat option to set several) '
            '(supported with --os-compute-api-version 2.56 or above)',
        )
        parser.add_argument(
            '--dry-run',
            action='store_true',
            help=(
                'With --hint: say to which hosts the server could be moved '
                'and why not to the others, and change nothing; the output '
                'options are for this'
            ),
        )
        server_numa_plan.add_output_options(parser)

    def get_epilog(self) -> str:
        """Say where the option comes from."""
        return (
            'The --hint and --dry-run options are provided by the '
            'nova-numa-migrate plugin.'
        )

    def before(self, parsed_args: argparse.Namespace) -> argparse.Namespace:
        """Take over this call's action when it has a hint.

        :raises CommandError: the hint cannot go with the other options, or
            the API is too old for it
        """
        if parsed_args.dry_run:
            _require_cold_migration(parsed_args)
            _require_hint(parsed_args)
            self.cmd.take_action = self._plan  # type: ignore[method-assign]
        elif parsed_args.hints:
            compute = self.cmd.app.client_manager.compute  # type: ignore[attr-defined]
            _require_cold_migration(parsed_args)
            _require_microversion(compute)
            # The command object lives for one call, so the next is stock.
            action = functools.partial(
                _migrate, self.cmd.app, self.cmd.take_action
            )
            self.cmd.take_action = action  # type: ignore[method-assign]
        return parsed_args

    def _plan(self, parsed_args: argparse.Namespace) -> None:
        """Show the table of ``server numa plan``."""
        server_numa_plan.PlanServerNuma(self.cmd.app, None).run(parsed_args)

    def after(self, parsed_args: argparse.Namespace, return_code: int) -> int:
        """Leave the exit code alone."""
        return return_code


def _require_cold_migration(parsed_args: argparse.Namespace) -> None:
    if parsed_args.live_migration:
        raise exceptions.CommandError(
            '--hint is for cold migrations: leave out --live-migration'
        )


def _require_hint(parsed_args: argparse.Namespace) -> None:
    if not parsed_args.hints:
        raise exceptions.CommandError(
            '--dry-run is for migrations with --hint: add one'
        )


def _require_microversion(compute: Any) -> None:
    if not sdk_utils.supports_microversion(
        compute, request.MINIMUM_MICROVERSION
    ):
        raise exceptions.CommandError(
            f'--os-compute-api-version {request.MINIMUM_MICROVERSION} or '
            'greater is required to use --hint'
        )


def _migrate(
    app: Any,
    stock_action: Callable[[argparse.Namespace], Any],
    parsed_args: argparse.Namespace,
) -> None:
    compute = app.client_manager.compute
    stock_args = argparse.Namespace(**vars(parsed_args))
    stock_args.wait = False
    with errors.told():
        with request.hinted(compute, parsed_args.hints) as sent:
            stock_action(stock_args)
        if parsed_args.wait:
            with progress.shown(app.stderr) as show:
                outcome.wait(compute, sent, time.sleep, show)
