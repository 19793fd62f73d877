# SPDX-License-Identifier: Apache-2.0
"""What nova-api can refuse before anything is touched.

Each check reads Nova's database only.  What it cannot know (free memory now,
the domain's real devices) is checked by the scheduler and on the hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nova import exception
from nova import objects
from nova.compute import api as compute_api
from nova.compute import vm_states
from nova.objects import fields
from nova.virt import hardware
from oslo_utils import strutils

from nova_numa_migrate import fit
from nova_numa_migrate import reports
from nova_numa_migrate.exception import CannotCheckpoint
from nova_numa_migrate.exception import NodeNotFound
from nova_numa_migrate.hint import CheckpointMode
from nova_numa_migrate.hint import InvalidHint
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.placement import hosts


@compute_api.check_instance_lock
@compute_api.check_instance_state(
    vm_state=[vm_states.ACTIVE, vm_states.STOPPED]
)
@compute_api.check_instance_host(check_is_up=True)
def migrate(api: Any, context: Any, instance: Any) -> None:
    """Nothing: what Nova asks of a server before it migrates is around it.

    To be called before any check that looks for something in the server's
    cell, for one without a host has no cell to look in.  It has the name that
    Nova's refusals give the action.

    :param api: Nova's compute API.
    :param instance: with its services.
    :raises nova.exception.InstanceIsLocked:
    :raises nova.exception.InstanceInvalidState:
    :raises nova.exception.InstanceNotReady: when it is on no host.
    :raises nova.exception.ServiceUnavailable: when its host's is down.
    """


def check_cells(topology: Any, node_map: NodeMap) -> None:
    """The map must fit the guest's cells, one to one.

    A bare guest is spread over as many nodes as are named.

    :param topology: objects.InstanceNUMATopology; None for a bare guest.
    :raises InvalidHint: when the numbers of cells and nodes differ.
    """
    if topology is not None:
        node_map.check_cells(len(topology.cells))


def check_nodes(
    context: Any, instance: Any, node_map: NodeMap, host: str | None
) -> None:
    """Some host that may take the guest must have the nodes.

    :param host: the destination that the request names, which may be the
        present one; None for any other than that.
    :raises NodeNotFound: when none has them, or there is no such host.
    """
    try:
        nodes = (
            objects.ComputeNodeList.get_all(context)
            if host is None
            else objects.ComputeNodeList.get_all_by_host(context, host)
        )
    except exception.ComputeHostNotFound as error:
        raise NodeNotFound(error.format_message()) from error
    hosts.check_exists(
        node_map,
        (
            reports.of(node)
            for node in nodes
            if node.host == host or node.host != instance.host
        ),
    )


def check_state(context: Any, instance: Any, mode: CheckpointMode) -> None:
    """What the request wants of the guest's state must be possible.

    Only a running guest has a state to lose.

    :raises CannotCheckpoint: naming every blocker that Nova knows of.
    """
    running = instance.vm_state == vm_states.ACTIVE
    if running and mode is CheckpointMode.REQUIRED:
        check_checkpoint(context, instance)


def check_moves(instance: Any, node_map: NodeMap, host: str | None) -> None:
    """A guest that stays on its host must change its nodes.

    :param host: as for check_nodes.
    :raises InvalidHint: when it is where it is asked to be.
    """
    present = tuple(cell.id for cell in fit.cells_of(instance))
    if host and host == instance.host and present == node_map.nodes:
        raise InvalidHint(
            f'Server {instance.uuid} is on host {host}, NUMA node(s) '
            f'{node_map}, already; name other nodes, or another host'
        )


def check_checkpoint(context: Any, instance: Any) -> None:
    """The guest must be one whose state can be saved where it is.

    :raises CannotCheckpoint: naming every blocker that Nova knows of.
    """
    found = list(_blockers(context, instance))
    if not reports.has_plugin_at_home(context, instance):
        found.append(f'its host {instance.host} runs no nova-numa-compute')
    if found:
        raise CannotCheckpoint(
            f'Server {instance.uuid} cannot be checkpointed: '
            f'{"; ".join(found)}. Remove the cause, or move the server '
            'without its state with the hint numa_checkpoint=preferred'
        )


def _blockers(context: Any, instance: Any) -> Iterator[str]:
    yield from _device_blockers(instance)
    specs = instance.flavor.extra_specs
    if hardware.get_vtpm_constraint(instance.flavor, instance.image_meta):
        yield 'vTPM'
    encrypted = (
        specs.get('hw:mem_encryption'),
        instance.image_meta.properties.get('hw_mem_encryption'),
    )
    if any(map(strutils.bool_from_string, encrypted)):
        yield 'encrypted memory'
    if hardware.get_vpmems(instance.flavor):
        yield 'persistent memory devices (hw:pmem)'
    if _has_firmware_variables(instance.image_meta):
        yield 'UEFI variable store (NVRAM)'
    if any(_asks_for_vgpu(key) for key in specs):
        yield 'mediated device (vGPU)'
    if compute_api.instance_has_share(context, instance):
        yield 'virtiofs share'


def _device_blockers(instance: Any) -> Iterator[str]:
    requests: Iterable[Any] = (
        instance.pci_requests.requests if instance.pci_requests else ()
    )
    for request in requests:
        name = request.alias_name or request.requester_id or request.request_id
        yield f'PCI device or SR-IOV port ({name})'


def _has_firmware_variables(image_meta: Any) -> bool:
    """As far as the image says; on aarch64 the source knows it alone."""
    firmware = image_meta.properties.get('hw_firmware_type')
    return bool(
        firmware == fields.FirmwareType.UEFI
        and not hardware.get_stateless_firmware_constraint(image_meta)
    )


def _asks_for_vgpu(extra_spec: str) -> bool:
    group, _, resource = extra_spec.partition(':')
    return group.startswith('resources') and resource == 'VGPU'
