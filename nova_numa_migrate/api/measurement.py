# SPDX-License-Identifier: Apache-2.0
"""Where a server's pages are: now, or at least after its last move."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from typing import Any

from nova import exception
from nova import objects
from nova import servicegroup

from nova_numa_migrate import fit
from nova_numa_migrate import rpc
from nova_numa_migrate.placement.report import CellPlacement


@dataclasses.dataclass(frozen=True)
class Measurement:
    """The pages of the guest cells that were found.

    ``when`` is ``now``, ``after_move``, or None when nothing is known.
    ``error`` says why the guest was not measured now.
    """

    when: str | None
    cells: Sequence[CellPlacement] = ()
    error: str | None = None


class _NotMeasured(Exception):
    """The text says why."""


def of(context: Any, instance: Any, hosts: rpc.NumaComputeAPI) -> Measurement:
    """What is known of a server.

    :param context: targeted at the server's cell.
    :param instance: objects.Instance with its NUMA topology and metadata.
    """
    try:
        return Measurement('now', _measured(context, instance, hosts))
    except (exception.NovaException, _NotMeasured) as error:
        stored = _stored(instance)
        when = 'after_move' if stored else None
        return Measurement(when, stored, str(error))


def _measured(
    context: Any, instance: Any, hosts: rpc.NumaComputeAPI
) -> list[CellPlacement]:
    """Ask the host, unless it cannot know or nobody would answer."""
    if not instance.host:
        raise _NotMeasured('the server is on no host')
    if not fit.cells_of(instance):
        raise _NotMeasured(
            'the server has no virtual NUMA topology and is bound to no node'
        )
    service = objects.Service.get_by_compute_host(context, instance.host)
    if not servicegroup.API().service_is_up(service):
        raise _NotMeasured(f'nova-compute on host {instance.host} is down')
    return hosts.measure_placement(context, instance)


def _stored(instance: Any) -> list[CellPlacement]:
    found = (
        CellPlacement.of(instance.system_metadata, number)
        for number in range(len(fit.cells_of(instance)))
    )
    return [cell for cell in found if cell is not None]
