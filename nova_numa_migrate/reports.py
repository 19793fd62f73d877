# SPDX-License-Identifier: Apache-2.0
"""What hosts report of themselves, as Nova's database has it."""

from __future__ import annotations

from typing import Any

from nova import exception
from nova import objects

from nova_numa_migrate.placement import hosts
from nova_numa_migrate.placement import stored


def of(node: Any) -> hosts.HostReport:
    """What a host reports of its nodes, and of the plugin.

    :param node: objects.ComputeNode.
    """
    text = node.numa_topology
    nodes = stored.nodes(text) if text else ()
    return hosts.HostReport.of(node.host, nodes, node.stats)


def has_plugin_at_home(context: Any, instance: Any) -> bool:
    """Whether the host that an instance is on runs the plugin.

    Without it the guest cannot be saved there, and nobody there can be asked.
    """
    try:
        node = objects.ComputeNode.get_by_host_and_nodename(
            context, instance.host, instance.node
        )
    except exception.ComputeHostNotFound:
        return False
    return of(node).has_plugin
