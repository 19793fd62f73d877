# SPDX-License-Identifier: Apache-2.0
"""What Placement is told of this host, beyond what Nova's driver tells."""

from __future__ import annotations

from typing import Any

from nova.virt import driver as virt_driver

from nova_numa_migrate.placement import traits

#: For a plan alone, see capabilities_as_traits.
CAPABILITY = 'supports_migrate_to_same_host'

# Nova's libvirt driver, which it is mixed into.
_Driver: Any = object


class ProviderMixin(_Driver):
    """The traits of the compute node's resource provider."""

    def capabilities_as_traits(self) -> dict[str, bool]:
        """Nova's traits, without the one that a plain migration would heed.

        Where a host reports it, Nova may choose the present host for any
        migration.
        """
        found: dict[str, bool] = super().capabilities_as_traits()
        trait = virt_driver.CAPABILITY_TRAITS_MAP[CAPABILITY]
        return {**found, trait: False}

    def update_provider_tree(
        self, provider_tree: Any, nodename: str, *args: Any, **kwargs: Any
    ) -> None:
        """Nova's report, and a trait for the plugin and each node.

        Those of nodes that are gone are taken back.

        :raises nova.exception.ReshapeNeeded: as Nova's.
        """
        super().update_provider_tree(provider_tree, nodename, *args, **kwargs)
        # What the filter reads is stored from this same report.
        topology = self._get_host_numa_topology()
        held = traits.of_host(
            cell.id for cell in (topology.cells if topology else ())
        )
        known = traits.ours(provider_tree.data(nodename).traits)
        provider_tree.remove_traits(nodename, *(known - held))
        provider_tree.add_traits(nodename, *held)
