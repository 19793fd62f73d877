# SPDX-License-Identifier: Apache-2.0
"""What Nova does to a guest's disks that only a stopped guest can stand.

A cold migration makes the swap disk and the base of an ephemeral disk anew,
and converts raw disks.  A guest that goes on would find them changed.
"""

from __future__ import annotations

from pathlib import Path
import shutil
from typing import Any

from nova import exception
import nova.conf
from nova.virt.libvirt import utils as libvirt_utils
from oslo_concurrency import processutils
from oslo_log import log as logging
import tenacity

from nova_numa_migrate.guest_xml import disks

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

#: Seconds between two looks at a disk that is being made whole.
_POLL = 0.5

#: ``[libvirt] images_type`` whose disks Nova takes to be qcow2, if it does
#: where ``use_cow_images`` is set (nova.virt.libvirt.imagebackend.Backend).
_COW_IMAGES = ('default', 'qcow2')


def make_whole(driver: Any, instance: Any) -> None:
    """Have disks contain what they have from a base of this host alone.

    The guest runs on meanwhile.

    :raises nova.exception.MigrationError: when a disk still has its base.
    """
    guest = driver._host.get_guest(instance)
    for target in disks.over_own_bases(guest.get_xml_desc()):
        LOG.info(
            'Disk %s takes its base in, to be the same elsewhere',
            target,
            instance=instance,
        )
        disk = guest.get_block_device(target)
        disk.rebase(None)
        tenacity.Retrying(
            wait=tenacity.wait_fixed(_POLL),
            retry=tenacity.retry_if_result(lambda complete: not complete),
        )(disk.is_job_complete)
    left = disks.over_own_bases(guest.get_xml_desc())
    if left:
        raise exception.MigrationError(
            reason=f'disks {", ".join(left)} of server {instance.uuid} need '
            f'a base file that is only on host {CONF.host}, and libvirt '
            'could not copy it into them; see its log there'
        )


def bring_swap(driver: Any, instance: Any, dest: str) -> None:
    """Copy the swap disk, which Nova leaves out, as Nova copies the others.

    To be called when Nova has done so: it has renamed their directory.

    :param dest: the destination's address for such copies.
    """
    new = Path(libvirt_utils.get_instance_path(instance), 'disk.swap')
    old = Path(f'{new.parent}_resize', new.name)
    if old.exists():
        shared = driver._is_path_shared_with(dest, str(new.parent))
        libvirt_utils.copy_image(
            str(old), str(new), host=None if shared else dest
        )


def remove_leftover(instance: Any) -> None:
    """Remove the directory that an earlier migration has left behind.

    Nova removes it when the guest is off, and has its way back put whatever
    is there in the place of the guest's disks.  A guest that is saved may
    come back before that.

    To be called while the guest runs, from the directory beside it.

    :raises OSError: when it cannot be removed.
    """
    leftover = f'{libvirt_utils.get_instance_path(instance)}_resize'
    if Path(leftover).exists():
        LOG.warning(
            'An earlier migration has left %s, which is removed',
            leftover,
            instance=instance,
        )
        shutil.rmtree(leftover)


def have_left(instance: Any) -> bool:
    """Whether Nova has put the disks of a guest that is off aside.

    As it does before it copies them; its way back takes them from there.
    """
    path = libvirt_utils.get_instance_path(instance)
    return Path(f'{path}_resize').exists()


def keep_as_it_is(driver: Any, instance: Any) -> None:
    """Have Nova's way back leave a root disk in a storage cluster as it is.

    It takes the disk back to the snapshot that the destination makes when
    the guest arrives, and fails where there is none.  What the guest goes on
    from was saved later than that, or before there was one, and its disk has
    not changed since: so the snapshot is to be of now.
    """
    if CONF.libvirt.images_type != 'rbd':
        # Nova's backend makes the guest's directory, which has yet to be
        # renamed, and on a full disk there is no room for that.
        return
    root = driver.image_backend.by_name(instance, 'disk')
    if root.exists():
        name = libvirt_utils.RESIZE_SNAPSHOT_NAME
        root.remove_snap(name, ignore_errors=True)
        root.create_snap(name)


def keep_what_came(instance: Any) -> None:
    """Have the files of a guest that has come outlive the host's power.

    With the base files of its disks, which are on the same file system.  Nova
    leaves that to the kernel, which may take half a minute, and its confirm
    deletes the source's files.  The guest runs: what fails is logged.
    """
    directory = libvirt_utils.get_instance_path(instance)
    try:
        processutils.execute('sync', '--file-system', directory)
    except (OSError, processutils.ProcessExecutionError) as error:
        LOG.warning(
            'A loss of power may yet cost the files that have come: %s',
            error,
            instance=instance,
        )


def to_convert(disk_info: str) -> str:
    """Those disks of a migration that Nova shall convert to qcow2.

    Nova converts raw ones wherever ``use_cow_images`` is set, even where
    ``images_type`` has them stay raw, and then calls them raw in the XML.
    """
    return disk_info if CONF.libvirt.images_type in _COW_IMAGES else '[]'
