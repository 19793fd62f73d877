# SPDX-License-Identifier: Apache-2.0
"""The transport that copies a checkpoint the way Nova copies disks."""

from __future__ import annotations

from pathlib import Path
import subprocess

from nova import utils
import nova.conf
from nova.virt.libvirt import utils as libvirt_utils
from nova.virt.libvirt.volume import remotefs
from oslo_concurrency import processutils
from oslo_log import log as logging

from nova_numa_migrate.checkpoint.transport import Transport
from nova_numa_migrate.virt import limits

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)


class NovaTransport(Transport):
    """ssh or rsync over ssh, as ``remote_filesystem_transport`` says.

    Both create the target with the source file's mode, in a directory that
    the destination's service keeps private.
    """

    def send(self, image: Path, host: str) -> None:
        """Copy the file; guest memory is not worth ssh's compression."""
        running: list[subprocess.Popen[bytes]] = []

        def kill() -> None:
            for copy in running:
                copy.kill()

        with limits.deadline('transfer_timeout', kill):
            rate = CONF.numa_migrate.transfer_bandwidth_mib
            if rate:
                processutils.execute(
                    *_limited(rate),
                    str(image),
                    f'{utils.safe_ip_format(host)}:{image}',
                    on_execute=running.append,
                )
            else:
                libvirt_utils.copy_image(
                    str(image),
                    str(image),
                    host=host,
                    on_execute=running.append,
                    compression=False,
                )

    def withdraw(self, image: Path, host: str) -> None:
        """Remove the copy; a host that cannot be reached is logged."""
        try:
            remotefs.RemoteFilesystem().remove_file(host, str(image))
        except processutils.ProcessExecutionError as error:
            LOG.warning(
                'Could not remove the checkpoint %(image)s from host '
                '%(host)s: %(error)s',
                {'image': image, 'host': host, 'error': error},
            )


def _limited(rate: int) -> tuple[str, ...]:
    """Nova's command for a copy, at so many MiB/s at most.

    Nova's own has no limit.  scp counts Kbit/s, rsync KiB/s.
    """
    if CONF.libvirt.remote_filesystem_transport == 'rsync':
        return 'rsync', '--sparse', f'--bwlimit={rate * 1024}'
    return 'scp', '-l', str(rate * 8 * 1024)
