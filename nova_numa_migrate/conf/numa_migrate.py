# SPDX-License-Identifier: Apache-2.0
"""The options of ``[numa_migrate]``."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup(
    'numa_migrate',
    title='NUMA-targeted migration options',
    help="""
Options of nova-numa-migrate, the cold migration that keeps the guest's state
and lands it on the NUMA nodes that were asked for.
""",
)

OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        'checkpoint',
        default='required',
        choices=[
            ('required', 'Refuse the migration and name every blocker'),
            ('preferred', 'Move the guest without its state'),
            ('never', 'Move every guest without its state'),
        ],
        help="""
What to do with a guest that cannot be checkpointed.

The value for requests that do not say it themselves with the hint
``numa_checkpoint``. A guest that is moved without its state is powered off
and booted at the destination, as in every cold migration of Nova.

Used by nova-api.
""",
    ),
    cfg.StrOpt(
        'checkpoint_path',
        default='$state_path/numa_migrate',
        help="""
Directory for the checkpoints of guests on their way.

A checkpoint is as large as the memory that the guest uses. The directory is
made with mode 0700 and belongs to the user of the compute service. It must
be local to the host and the same path on every compute host; a service whose
directory is another host's does not start.

Used by nova-numa-compute.
""",
    ),
    cfg.IntOpt(
        'free_memory_margin_mb',
        default=128,
        min=0,
        help="""
Memory, in MiB, that must stay free on each node that a guest moves to.

The destination looks at the free memory of the named nodes right before it
claims them, beside what Nova has booked: a guest's memory is bound strictly to
its nodes, and the kernel ends processes on a node that is short, other guests
among them. A node with less than the guest's memory and this margin refuses
the migration; the next host is tried. Pools of huge pages need no margin.

Used by nova-numa-compute.
""",
    ),
    cfg.IntOpt(
        'max_concurrent_checkpoints',
        default=1,
        min=0,
        help="""
How many guests may be on their way from this host at one time.

From the save of a guest to the end of its transfer; another guest runs on
until it is its turn. Two at once share disk and network, and each stands
still for longer. 0 is no limit.

Each guest that waits for its turn holds a worker thread of the service
(``executor_thread_pool_size`` of oslo.messaging, 64 by default), so drain a
host in portions well below that.

Used by nova-numa-compute.
""",
    ),
    cfg.IntOpt(
        'transfer_bandwidth_mib',
        default=0,
        min=0,
        help="""
How fast a checkpoint is sent, in MiB/s at most.

Guests stand still while their checkpoint travels. Set it where the network
between the hosts has other work, too. 0 is no limit. The disks are sent by
Nova and are not limited.

Used by nova-numa-compute.
""",
    ),
    cfg.IntOpt(
        'checkpoint_timeout',
        default=3600,
        min=0,
        help="""
Seconds that the save of a guest may take.

After that it is given up and the guest runs on. 0 is no limit.

Used by nova-numa-compute.
""",
    ),
    cfg.IntOpt(
        'transfer_timeout',
        default=3600,
        min=0,
        help="""
Seconds that sending a checkpoint may take.

After that it is given up and the guest goes on where it was saved: at the
source, or on a revert at the destination. 0 is no limit.

Used by nova-numa-compute.
""",
    ),
    cfg.IntOpt(
        'restore_timeout',
        default=3600,
        min=0,
        help="""
Seconds that starting a guest from its checkpoint may take.

After that it is given up. At the destination the guest goes home to the
source; at the source it stays in its checkpoint and the server is in error.
0 is no limit.

Used by nova-numa-compute.
""",
    ),
    cfg.BoolOpt(
        'query_placement_for_numa_nodes',
        default=True,
        help="""
Whether Placement drops the hosts without the named nodes.

It is then asked for hosts with the traits ``CUSTOM_NUMA_CHECKPOINT`` and
``CUSTOM_NUMA_NODE_<n>`` for each node that a request names. The compute
services report them when they start. Switch it off while compute hosts run a
release of the plugin that reports no traits: the filter finds the right hosts
without, though it has to look at each of them.

Used by nova-scheduler, and by nova-api for the dry run: set it alike for both.
""",
    ),
    cfg.StrOpt(
        'transport',
        default='nova',
        help="""
How a checkpoint is brought to the destination.

The name of a plugin in the namespace
``nova_numa_migrate.checkpoint.transports``. ``nova`` copies the file the way
Nova copies disks, see ``[libvirt] remote_filesystem_transport``.

Used by nova-numa-compute.
""",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Make the group known to a configuration; twice is fine."""
    conf.register_group(GROUP)
    conf.register_opts(OPTS, group=GROUP)


def list_opts() -> dict[cfg.OptGroup, list[cfg.Opt]]:
    """The group and its options, for the sample generator."""
    return {GROUP: OPTS}
