# SPDX-License-Identifier: Apache-2.0
"""Who may name the host NUMA nodes of a migration."""

from __future__ import annotations

from oslo_policy import policy

MIGRATE = 'os_compute_api:os-numa-migrate:migrate'

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
]
