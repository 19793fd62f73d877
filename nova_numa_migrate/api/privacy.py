# SPDX-License-Identifier: Apache-2.0
"""What of a move a server's owner does not get to see.

Hosts and their nodes are for operators.  What the plugin stores with a server
would reach its owner by two ways of Nova's, and is taken out of both.
"""

from __future__ import annotations

from typing import Any

from nova.api.openstack.compute.views import servers
from nova.compute import utils as compute_utils

from nova_numa_migrate.binding import BINDING_KEY
from nova_numa_migrate.move import MOVE_KEY
from nova_numa_migrate.plan import without_plan


class NumaViewBuilder(servers.ViewBuilder):
    """Nova's view of a server, whose hints are those of its creation."""

    def _get_scheduler_hints(
        self, context: Any, instance: Any, provided_sched_hints: Any
    ) -> Any:
        """Without the plan of the latest move, which Nova keeps with them."""
        hints = super()._get_scheduler_hints(
            context, instance, provided_sched_hints
        )
        return without_plan(hints) if hints else hints


def install(controller: Any) -> None:
    """Put both into this process; twice is fine.

    :param controller: Nova's controller of servers.
    """
    controller._view_builder = NumaViewBuilder()
    # Nova makes all system metadata of a server properties of its images, but
    # for these beginnings.
    compute_utils.NON_INHERITABLE_IMAGE_NAMESPACES |= {MOVE_KEY, BINDING_KEY}
