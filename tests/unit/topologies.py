# SPDX-License-Identifier: Apache-2.0
"""Hosts and guests with NUMA cells, as Nova's own objects."""

from nova import objects

objects.register_all()


def host_cell(node, memory=4096, used=0, pinned=()):
    """Two dedicated CPUs and one shared CPU, ``memory`` MiB."""
    cpus = {3 * node, 3 * node + 1}
    return objects.NUMACell(
        id=node,
        cpuset={3 * node + 2},
        pcpuset=cpus,
        memory=memory,
        cpu_usage=0,
        memory_usage=used,
        pinned_cpus=set(pinned),
        siblings=[{cpu} for cpu in sorted(cpus | {3 * node + 2})],
        mempages=[
            objects.NUMAPagesTopology(
                size_kb=4, total=memory * 256, used=used * 256
            )
        ],
        socket=0,
    )


def host(*cells):
    """The given cells, or four free ones with the ids 0 to 3."""
    return objects.NUMATopology(
        cells=list(cells) or [host_cell(node) for node in range(4)]
    )


def guest(cells=1, dedicated=True, memory=1024, cpus=2):
    """A guest of so many cells, as a flavor asks for it."""
    return objects.InstanceNUMATopology(
        cells=[
            objects.InstanceNUMACell(
                id=cell,
                cpuset=set() if dedicated else _cpus(cell, cpus),
                pcpuset=_cpus(cell, cpus) if dedicated else set(),
                cpu_policy='dedicated' if dedicated else 'shared',
                memory=memory,
            )
            for cell in range(cells)
        ]
    )


def _cpus(cell, count):
    return set(range(cell * count, (cell + 1) * count))
