# SPDX-License-Identifier: Apache-2.0
"""Who may name the host NUMA nodes of a migration, and ask beforehand."""

from __future__ import annotations

from oslo_policy import policy

MIGRATE = 'os_compute_api:os-numa-migrate:migrate'
CREATE = 'os_compute_api:os-numa-migrate:create'
PLAN = 'os_compute_api:os-numa-migrate:plan'

# The same text as Nova's ADMIN: the answer to a hint tells about the
# topology of hosts, which only operators may see.
RULES = [
    policy.DocumentedRuleDefault(
        name=MIGRATE,
        check_str='rule:context_is_admin',
        description=(
            'Cold migrate a server to NUMA nodes that the request names '
            '(scheduler hint "numa_node"). Nova\'s own rules for the migrate '
            'action apply as well.'
        ),
        operations=[
            {'method': 'POST', 'path': '/servers/{server_id}/action (migrate)'}
        ],
        scope_types=['project'],
    ),
    policy.DocumentedRuleDefault(
        name=PLAN,
        check_str='rule:context_is_admin',
        description=(
            'Ask, without changing anything, to which hosts and NUMA nodes a '
            'server could be migrated, and why not to the others.'
        ),
        operations=[
            {
                'method': 'POST',
                'path': '/servers/{server_id}/action (os-numaMigratePlan)',
            }
        ],
        scope_types=['project'],
    ),
    policy.DocumentedRuleDefault(
        name=CREATE,
        check_str='rule:context_is_admin',
        description=(
            'Create a server on NUMA nodes that the request names (scheduler '
            'hint "numa_node"). Nova\'s own rules for the creation of '
            'servers apply as well.'
        ),
        operations=[{'method': 'POST', 'path': '/servers'}],
        scope_types=['project'],
    ),
]
