# SPDX-License-Identifier: Apache-2.0
"""What the compute service needs root for, and nothing more.

Two things: a checkpoint that libvirtd wrote as root is handed to the service,
and the kernel's account of a guest's pages is read.  A context of our own
keeps their capabilities apart from those that Nova's context has.
"""

from __future__ import annotations

import os
from pathlib import Path
import stat

from oslo_privsep import capabilities
from oslo_privsep import priv_context

context = priv_context.PrivContext(
    'nova_numa_migrate',
    cfg_section='nova_numa_migrate_privileged',
    pypath=__name__ + '.context',
    capabilities=[
        # To give a file away.
        capabilities.CAP_CHOWN,
        # To reach it through the service's private directory.
        capabilities.CAP_DAC_READ_SEARCH,
        # To read /proc/PID/numa_maps of another user's process.
        capabilities.CAP_SYS_PTRACE,
    ],
)

#: Where libvirtd writes the process id of each running guest.
_PID_FILES = Path('/run/libvirt/qemu')


@context.entrypoint
def take_over(path: str, uid: int, gid: int) -> None:
    """Give a checkpoint that libvirtd wrote to the compute service.

    Only a plain file in a private directory of that same user is given
    away, so that this is no way to get at anybody else's files.

    :raises PermissionError: when the file is not of that kind.
    """
    parent = os.stat(os.path.dirname(path))
    # Not to wait for the other end of a pipe.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags)
    try:
        found = os.fstat(descriptor)
        ours = parent.st_uid == uid and not parent.st_mode & 0o077
        plain = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        if not ours or not plain:
            raise PermissionError(
                f'{path} is not a plain file in a private directory of user '
                f'{uid}'
            )
        os.fchown(descriptor, uid, gid)
    finally:
        os.close(descriptor)


@context.entrypoint
def start() -> None:
    """Do nothing, but have the daemon running for what follows.

    It takes seconds to start, which a stopped guest should not wait for.
    """


@context.entrypoint
def read_guest_process(domain: str) -> tuple[str, str, str]:
    """What the kernel tells of a guest's QEMU process.

    :param domain: the libvirt name of the running guest.
    :returns: its ``maps``, its ``numa_maps`` and its ``cmdline``.
    :raises OSError: when there is no such process.
    """
    if os.path.basename(domain) != domain:
        raise PermissionError(f'{domain} is not the name of a domain')
    process = (
        Path('/proc') / (_PID_FILES / f'{domain}.pid').read_text().strip()
    )
    return (
        (process / 'maps').read_text(),
        (process / 'numa_maps').read_text(),
        (process / 'cmdline').read_text(),
    )
