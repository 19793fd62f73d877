# SPDX-License-Identifier: Apache-2.0
"""The entry point ``oslo.config.opts``: every option of the project."""

from __future__ import annotations

from oslo_config import cfg

from nova_numa_migrate.conf import numa_migrate

_GROUPS = (numa_migrate,)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """All option groups with their options."""
    return [item for group in _GROUPS for item in group.list_opts().items()]
