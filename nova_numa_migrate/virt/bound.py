# SPDX-License-Identifier: Apache-2.0
"""Bare guests are bound to host nodes whenever Nova writes their XML.

The binding of such a guest changes when it arrives with a move, and is put
back when it comes home from it.  Its live migration is Nova's, which knows
nothing of the binding: the guest leaves without it.
"""

from __future__ import annotations

from typing import Any

import nova.conf
from nova.virt.libvirt import config
from nova.virt.libvirt import guest as libvirt_guest
from oslo_log import log as logging

from nova_numa_migrate import binding
from nova_numa_migrate.binding import Binding
from nova_numa_migrate.binding import shares
from nova_numa_migrate.guest_xml.unbound import unbound
from nova_numa_migrate.move import Move

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# Nova's libvirt driver, which it is mixed into.
_Driver: Any = object


def arrive(instance: Any, migration: Any, move: Move | None) -> None:
    """At the destination: from now on the guest is bound as its move asks.

    To be called before its XML is written, and saved at once: whatever
    becomes of the move from here on, this host's nodes are meant.

    :param migration: objects.Migration.
    :param move: None for a migration without a hint, which binds to nothing.
    """
    new = None
    if move is not None and instance.numa_topology is None:
        new = Binding(CONF.host, move.node_map.nodes)
    if binding.replace(instance.system_metadata, new, migration.uuid):
        instance.save()


def come_home(instance: Any, migration: Any) -> None:
    """At the source: the guest is bound as before the migration."""
    if binding.put_back(instance.system_metadata, migration.uuid):
        instance.save()


class BoundGuestsMixin(_Driver):
    """Where Nova's driver writes a guest's XML, and sends it away live."""

    def _get_guest_config(self, instance: Any, *args: Any, **kw: Any) -> Any:
        """Nova's description of a guest, bound as it has to be on this host.

        :returns: nova.virt.libvirt.config.LibvirtConfigGuest.
        """
        guest = super()._get_guest_config(instance, *args, **kw)
        bound = Binding.of(instance.system_metadata, CONF.host)
        if bound is not None and instance.numa_topology is None:
            self._bind(guest, instance, bound)
        return guest

    def _bind(self, guest: Any, instance: Any, bound: Binding) -> None:
        """Pin the vCPUs to the nodes' shared CPUs, and bind the memory.

        Where a node is gone since the guest came here, a guest elsewhere is
        better than none.
        """
        host = self._get_host_numa_topology()
        cpus = {cell.id: cell.cpuset for cell in host.cells} if host else {}
        found = list(shares(bound.nodes, guest.vcpus, guest.memory))
        if any(
            share.node not in cpus or (share.vcpus and not cpus[share.node])
            for share in found
        ):
            LOG.warning(
                'The guest is not bound to NUMA node(s) %(nodes)s: this host '
                'has shared CPUs on %(there)s',
                {
                    'nodes': bound.nodes,
                    'there': [node for node, has in cpus.items() if has],
                },
                instance=instance,
            )
            return
        guest.cpuset = set().union(*(cpus[node] for node in bound.nodes))
        guest.cputune = guest.cputune or config.LibvirtConfigGuestCPUTune()
        guest.cputune.vcpupin += [
            _pin(vcpu, cpus[share.node])
            for share in found
            for vcpu in share.vcpus
        ]
        guest.numatune = _numatune(bound.nodes)

    def _live_migration_operation(
        self,
        context: Any,
        instance: Any,
        dest: str,
        block_migration: Any,
        migrate_data: Any,
        guest: Any,
        device_names: Any,
    ) -> None:
        """Migrate; the destination is given the guest without its binding.

        Node ids mean something on this host alone, and Nova has the CPUs of
        such a guest replaced by those of the destination.
        """
        # Not CONF.host: Nova runs this in a thread of its own.
        if Binding.of(instance.system_metadata, instance.host) is not None:
            guest = _Unbound(guest._domain)
        super()._live_migration_operation(
            context,
            instance,
            dest,
            block_migration,
            migrate_data,
            guest,
            device_names,
        )

    def post_live_migration_at_destination(
        self, context: Any, instance: Any, *args: Any, **kwargs: Any
    ) -> None:
        """The guest is bound to nothing here; Nova saves the instance."""
        binding.place(instance.system_metadata, None)
        super().post_live_migration_at_destination(
            context, instance, *args, **kwargs
        )


class _Unbound(libvirt_guest.Guest):
    """A guest that is described without its binding."""

    def get_xml_desc(self, *args: Any, **kwargs: Any) -> str:
        return unbound(super().get_xml_desc(*args, **kwargs))


def _pin(vcpu: int, cpus: set[int]) -> Any:
    pin = config.LibvirtConfigGuestCPUTuneVCPUPin()
    pin.id, pin.cpuset = vcpu, cpus
    return pin


def _numatune(nodes: tuple[int, ...]) -> Any:
    numatune = config.LibvirtConfigGuestNUMATune()
    numatune.memory = config.LibvirtConfigGuestNUMATuneMemory()
    numatune.memory.mode = 'strict' if len(nodes) == 1 else 'interleave'
    numatune.memory.nodeset = list(nodes)
    return numatune
