# SPDX-License-Identifier: Apache-2.0
"""What a dry run found, as the API shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nova_numa_migrate.api.outlook import Outlook
from nova_numa_migrate.hint import CheckpointMode
from nova_numa_migrate.hint import NodeMap


def plan(
    instance: Any,
    node_map: NodeMap | None,
    mode: CheckpointMode,
    found: Sequence[Outlook],
    limit: int,
) -> dict[str, Any]:
    """As ``schemas.migrate_plan.ANSWER`` has it.

    :param found: the best ones first; so many of them are shown.
    """
    return {
        'server_id': instance.uuid,
        'host': instance.host,
        'numa_node': _nodes(node_map),
        'numa_checkpoint': mode,
        'hosts': [_host(one) for one in found[:limit]],
        'hosts_omitted': len(found[limit:]),
    }


def _host(one: Outlook) -> dict[str, Any]:
    return {
        'host': one.host,
        'fits': one.fits,
        'numa_node': _nodes(one.node_map),
        'reasons': list(one.reasons),
    }


def _nodes(node_map: NodeMap | None) -> list[int] | None:
    return list(node_map.nodes) if node_map else None
