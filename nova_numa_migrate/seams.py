# SPDX-License-Identifier: Apache-2.0
"""The three places where nova-compute gets our classes instead of its own.

Nova has no configuration for them.  Each is one assignment of a name that
Nova looks up at run time; all of them are here, and nowhere else.  A test
holds each against the releases of Nova that it was read in.
"""

from __future__ import annotations

import importlib
import sys
import types

from nova import service
from nova.compute import claims
from nova.compute import resource_tracker
import nova.conf

from nova_numa_migrate.compute.claim import NumaClaim
from nova_numa_migrate.compute.claim import NumaMoveClaim
from nova_numa_migrate.conf import numa_migrate


def install() -> None:
    """Put the plugin into this process, before the service is made."""
    numa_migrate.register_opts(nova.conf.CONF)
    # nova.virt.driver.load_compute_driver imports "nova.virt.<name>" only.
    sys.modules['nova.virt.numa_migrate'] = importlib.import_module(
        'nova_numa_migrate.virt.driver'
    )
    # nova.service.Service.create takes the manager of a binary from here,
    # and nova.cmd.compute.main does not pass one.
    service.SERVICE_MANAGERS['nova-compute'] = (
        'nova_numa_migrate.compute.manager.NumaComputeManager'
    )
    # ResourceTracker calls claims.Claim and claims.MoveClaim.  The names are
    # replaced as that one module sees them: rebinding them in
    # nova.compute.claims would make MoveClaim's own super() call recurse
    # without end.
    resource_tracker.claims = types.SimpleNamespace(
        **{
            **vars(claims),
            'Claim': NumaClaim,
            'MoveClaim': NumaMoveClaim,
        }
    )
