# SPDX-License-Identifier: Apache-2.0
"""The transport that copies a checkpoint the way Nova copies disks."""

from __future__ import annotations

from pathlib import Path

from nova.virt.libvirt import utils as libvirt_utils
from nova.virt.libvirt.volume import remotefs
from oslo_concurrency import processutils
from oslo_log import log as logging

from nova_numa_migrate.checkpoint.transport import Transport

LOG = logging.getLogger(__name__)


class NovaTransport(Transport):
    """ssh or rsync over ssh, as ``remote_filesystem_transport`` says.

    Both create the target with the source file's mode, in a directory that
    the destination's service keeps private.
    """

    def send(self, image: Path, host: str) -> None:
        """Copy the file; guest memory is not worth ssh's compression."""
        libvirt_utils.copy_image(
            str(image), str(image), host=host, compression=False
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
