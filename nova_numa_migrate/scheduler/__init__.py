# SPDX-License-Identifier: Apache-2.0
"""What the plugin adds to nova-scheduler.

This module imports nothing of Nova: it is named in nova.conf.
"""

from __future__ import annotations

from typing import Any

from stevedore import extension

NAMESPACE = 'nova_numa_migrate.scheduler.filters'


def all_filters() -> list[Any]:
    """The filter classes registered for Nova, for ``available_filters``.

    Nova's own loader calls it when nova.conf names it, before it makes any
    host or has any request, so that the rest is put in its place here::

        [filter_scheduler]
        available_filters = nova.scheduler.filters.all_filters
        available_filters = nova_numa_migrate.scheduler.all_filters
    """
    # Not before: Nova chooses its threads first.
    from nova_numa_migrate.scheduler import seams

    seams.install()
    manager: extension.ExtensionManager[Any] = extension.ExtensionManager(
        NAMESPACE, on_load_failure_callback=_fail
    )
    return [registered.plugin for registered in manager]


def _fail(manager: Any, entry_point: Any, error: BaseException) -> None:
    """A filter that does not load must not be left out in silence."""
    raise error
