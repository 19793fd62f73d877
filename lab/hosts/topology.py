# SPDX-License-Identifier: Apache-2.0
"""The shape of a compute host: four NUMA nodes, no two of one size.

Nodes that differ show mistakes that equal ones hide. Each node has one CPU
for shared and one for dedicated use.
"""

NODE_MIB = (768, 1024, 1280, 1536)
CPUS_PER_NODE = 2
# How far each node is from the others, in the kernel's units (10 is near).
DISTANCES = (
    (10, 14, 20, 24),
    (14, 10, 16, 20),
    (20, 16, 10, 14),
    (24, 20, 14, 10),
)


def cpus(node: int) -> range:
    """CPUs of a node."""
    first = node * CPUS_PER_NODE
    return range(first, first + CPUS_PER_NODE)


def every_cpu() -> range:
    """CPUs of a host."""
    return range(CPUS_PER_NODE * len(NODE_MIB))


def shared_cpus() -> str:
    """The first CPU of each node, as ``[compute] cpu_shared_set``."""
    return ",".join(str(cpus(n)[0]) for n in range(len(NODE_MIB)))


def dedicated_cpus() -> str:
    """The other CPUs of each node, as ``[compute] cpu_dedicated_set``."""
    return ",".join(
        str(cpu) for n in range(len(NODE_MIB)) for cpu in cpus(n)[1:]
    )


def emulator_options() -> list[str]:
    """Memory, processors and nodes in the words of QEMU."""
    nodes = range(len(NODE_MIB))
    options = [
        *("-m", f"{sum(NODE_MIB)}M"),
        "-smp",
        f"{len(every_cpu())},sockets={len(nodes)},"
        f"cores={CPUS_PER_NODE},threads=1",
    ]
    for node in nodes:
        first, last = cpus(node)[0], cpus(node)[-1]
        options += [
            "-object",
            f"memory-backend-ram,id=memory{node},size={NODE_MIB[node]}M",
            "-numa",
            f"node,nodeid={node},memdev=memory{node},cpus={first}-{last}",
        ]
    for source in nodes:
        for target in nodes:
            value = DISTANCES[source][target]
            options += ["-numa", f"dist,src={source},dst={target},val={value}"]
    return options
