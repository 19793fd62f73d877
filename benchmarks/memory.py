# SPDX-License-Identifier: Apache-2.0
"""A process that has so many hosts' reports, and says its peak in MiB.

    python -m benchmarks.memory ours|novas COUNT

``ours`` has the core's objects and the plan of a guest, with every reason.
"""

from __future__ import annotations

import pathlib
import re
import sys
from typing import Any

from benchmarks import fleet
from nova_numa_migrate.placement import core


def _ours(count: int) -> list[Any]:
    guest = fleet.guest(4)
    hosts = fleet.parsed(fleet.reports(count, 8))
    return [(host, core.place(host, guest)) for host in hosts]


def _novas(count: int) -> list[Any]:
    from nova import objects

    objects.register_all()
    return [
        objects.NUMATopology.obj_from_db_obj(text)
        for text in fleet.reports(count, 8)
    ]


def main(whose: str, count: str) -> None:
    """Have them, and tell."""
    kept = {'ours': _ours, 'novas': _novas}[whose](int(count))
    print(f'{len(kept)} hosts', _peak(), sep='\n')


def _peak() -> float:
    """Of this program: the kernel's ru_maxrss counts who started it, too."""
    status = pathlib.Path('/proc/self/status').read_text()
    (kib,) = re.findall(r'^VmHWM:\s+(\d+) kB$', status, re.MULTILINE)
    return int(kib) / 1024


if __name__ == '__main__':
    main(*sys.argv[1:])
