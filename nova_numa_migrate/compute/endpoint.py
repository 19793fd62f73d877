# SPDX-License-Identifier: Apache-2.0
"""What this compute service answers to the others that run the plugin."""

from __future__ import annotations

from typing import Any

import oslo_messaging as messaging

from nova_numa_migrate import fit
from nova_numa_migrate import rpc
from nova_numa_migrate.checkpoint.demand import Demand
from nova_numa_migrate.checkpoint.demand import told
from nova_numa_migrate.compute import acceptance
from nova_numa_migrate.compute import sweep


class NumaEndpoint:
    """Called by oslo.messaging; the public methods are the interface.

    :param manager: the compute manager.
    """

    target = messaging.Target(namespace=rpc.NAMESPACE, version=rpc.VERSION)

    def __init__(self, manager: Any) -> None:
        self._manager = manager

    def describe_guest(self, context: Any, instance: Any) -> dict[str, Any]:
        """On the source: what the running guest asks of a destination."""
        demand: Demand = self._manager.driver.demand_of(instance)
        return demand.to_primitive()

    def list_blockers(self, context: Any, instance: Any) -> list[str]:
        """On the source: why the guest cannot be saved; empty if it can."""
        found: list[str] = self._manager.driver.blockers_of(instance)
        return found

    def check_destination(
        self, context: Any, instance: Any, demand: dict[str, Any]
    ) -> list[str]:
        """On the destination, which has claimed: can the guest go on here?"""
        refusals = acceptance.at_the_save(
            self._manager, context, instance, Demand(**demand)
        )
        return [told(self._manager.host, refusals)] if refusals else []

    def check_return(
        self, context: Any, instance: Any, demand: dict[str, Any]
    ) -> list[str]:
        """On the source: can the guest come home now?"""
        return acceptance.at_the_return(
            self._manager, instance, Demand(**demand)
        )

    def measure_placement(
        self, context: Any, instance: Any
    ) -> list[dict[str, Any]]:
        """Where the guest's pages are, on the host that it runs on."""
        found = self._manager.driver.measure(
            instance, [cell.id for cell in fit.cells_of(instance)]
        )
        return [cell.to_primitive() for cell in found]

    def sync_brought(
        self, context: Any, instance: Any, names: list[str]
    ) -> None:
        """On the source of a guest that is about to come home."""
        self._manager.driver.sync_brought(instance, names)

    def sync_checkpoint(self, context: Any, instance: Any) -> None:
        """On the source: what has come must not be lost with the power.

        And on the destination, before it is asked to send that again.
        """
        self._manager.driver.checkpoints.keep(instance.uuid)

    def send_checkpoint(
        self, context: Any, instance: Any, migration: str
    ) -> None:
        """On the destination: the source has lost what it was sent."""
        self._manager.driver.send_again(instance, migration)

    def discard_checkpoint(
        self, context: Any, instance: Any, migration: str
    ) -> None:
        """On the destination: the guest is back where it came from."""
        files = self._manager.driver.checkpoints
        if files.journal(instance.uuid, migration) is not None:
            sweep.discard(self._manager, context, instance.uuid)
