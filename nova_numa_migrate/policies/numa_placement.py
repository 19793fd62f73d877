# SPDX-License-Identifier: Apache-2.0
"""Who may see on which host nodes a server is."""

from __future__ import annotations

from oslo_policy import policy

SHOW = 'os_compute_api:os-numa-placement:show'

# The same text as Nova's ADMIN: the answer names nodes and CPUs of a host.
RULES = [
    policy.DocumentedRuleDefault(
        name=SHOW,
        check_str='rule:context_is_admin',
        description=(
            'Show on which host NUMA nodes a server was asked to be, which '
            'it has claimed, and where its pages are.'
        ),
        operations=[
            {'method': 'GET', 'path': '/servers/{server_id}/os-numa-placement'}
        ],
        scope_types=['project'],
    ),
]
