# SPDX-License-Identifier: Apache-2.0
"""The policy rules of the project, one resource a module."""

from __future__ import annotations

from oslo_policy import policy

from nova_numa_migrate.policies import migrate
from nova_numa_migrate.policies import numa_nodes
from nova_numa_migrate.policies import numa_placement


def list_rules() -> list[policy.RuleDefault]:
    """All rules; the entry point ``oslo.policy.policies``."""
    return [*migrate.RULES, *numa_nodes.RULES, *numa_placement.RULES]
