# SPDX-License-Identifier: Apache-2.0
"""Who may see the NUMA nodes of hosts."""

from __future__ import annotations

from oslo_policy import policy

LIST = 'os_compute_api:os-numa-nodes:list'
SHOW = 'os_compute_api:os-numa-nodes:show'

# The same text as Nova's ADMIN: guests of every project are in the answers.
RULES = [
    policy.DocumentedRuleDefault(
        name=LIST,
        check_str='rule:context_is_admin',
        description=(
            'List the compute hosts of all cells with their NUMA nodes: CPUs, '
            'memory, distances, and the guests on each node.'
        ),
        operations=[{'method': 'GET', 'path': '/os-numa-nodes'}],
        scope_types=['project'],
    ),
    policy.DocumentedRuleDefault(
        name=SHOW,
        check_str='rule:context_is_admin',
        description='Show the NUMA nodes of one compute host.',
        operations=[{'method': 'GET', 'path': '/os-numa-nodes/{host}'}],
        scope_types=['project'],
    ),
]
