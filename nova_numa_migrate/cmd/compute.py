# SPDX-License-Identifier: Apache-2.0
"""nova-numa-compute: nova-compute with the plugin in its seams.

Nothing is imported before Nova's own start module: it decides between native
threads and eventlet, and patches the standard library for the latter, which
must happen before anything else is loaded.
"""

from __future__ import annotations


def main() -> None:
    """Run the compute service; its options are nova-compute's."""
    from nova.cmd import compute

    from nova_numa_migrate import seams

    seams.install()
    compute.main()
