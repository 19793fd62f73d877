# SPDX-License-Identifier: Apache-2.0
"""Enforcement of the project's own rules.

An enforcer of our own, with Nova's base rules and ours, reads the same policy
file as Nova's: Nova's is a private name, and would lose our rules whenever
Nova makes it anew.
"""

from __future__ import annotations

import functools
from typing import Any

from nova import exception
import nova.conf
from nova.policies import base
from oslo_policy import policy as oslo_policy

from nova_numa_migrate import policies

CONF = nova.conf.CONF


@functools.cache
def _enforcer() -> oslo_policy.Enforcer:
    enforcer = oslo_policy.Enforcer(CONF)
    enforcer.register_defaults(base.list_rules())
    enforcer.register_defaults(policies.list_rules())
    return enforcer


def authorize(context: Any, rule: str, target: dict[str, Any]) -> None:
    """Let the caller pass, or raise.

    :raises nova.exception.PolicyNotAuthorized: naming the rule (HTTP 403).
    """
    allowed = _enforcer().authorize(
        rule, target, context.to_policy_values(), do_raise=False
    )
    if not allowed:
        raise exception.PolicyNotAuthorized(action=rule)
