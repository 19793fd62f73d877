# SPDX-License-Identifier: Apache-2.0
"""Disks that are files, in the directories of their hosts.

Nova's fixtures create no disk at all, so that there is nothing to rename or to
copy.  Here a disk is a file whose text is its content.  One of Nova's
ephemeral or swap disks is, as a qcow2, an overlay: what the guest finds there
is the text of a base, which each host has made for itself, and its own.
"""

from __future__ import annotations

import os
import pathlib
import re
from unittest import mock

import fixtures
from nova.compute import task_states
import nova.conf
from nova.tests import fixtures as nova_fixtures
from nova.virt import images
from nova.virt.libvirt import utils as libvirt_utils

from tests.functional import fake_hosts

CONF = nova.conf.CONF

_OVERLAY = 'over %s\n'
_BASES = {'disk.swap': 'swap_1', 'disk.eph0': 'ephemeral_1_0'}


class FakeDisksFixture(fixtures.Fixture):
    """Disks as this module's docstring describes them."""

    def _setUp(self) -> None:
        for name, fake in (
            ('nova.virt.libvirt.LibvirtDriver._create_image', _create_disks),
            ('nova.virt.images.qemu_img_info', _inspect),
            ('nova.virt.images.convert_image', _convert),
            ('nova.virt.libvirt.utils.create_image', _create_empty),
        ):
            self.useFixture(fixtures.MonkeyPatch(name, fake))
        backend = nova_fixtures.LibvirtImageBackendFixture
        self.useFixture(
            fixtures.MockPatchObject(
                backend,
                '_fake_libvirt_info',
                _in_its_format(backend._fake_libvirt_info),
            )
        )


def base_of(disk: str | os.PathLike[str]) -> pathlib.Path | None:
    """The base of an overlay, None for a disk that is whole."""
    disk = pathlib.Path(disk)
    if not disk.exists():
        return None
    found = re.match(_OVERLAY % '(.*)', disk.read_text())
    return disk.parents[1] / '_base' / found[1] if found else None


def content(disk: str | os.PathLike[str]) -> str:
    """What the guest reads from it on this host."""
    text = pathlib.Path(disk).read_text()
    base = base_of(disk)
    if base is None:
        return text
    return base.read_text() + text.removeprefix(_OVERLAY % base.name)


def make_whole(disk: str | os.PathLike[str]) -> None:
    """Copy the base into the overlay, as a block job does."""
    pathlib.Path(disk).write_text(content(disk))


def append(disk: str | os.PathLike[str], text: str) -> None:
    """What a guest does that writes."""
    with open(disk, 'a') as stream:
        stream.write(text)


def _create_empty(path, *args, **kwargs):
    """For what a live migration brings."""
    pathlib.Path(path).touch()


def _stays_raw() -> bool:
    return bool(CONF.libvirt.images_type == 'raw')


def _create_disks(driver, context, instance, disk_mapping, *args, **kwargs):
    """As the real one: a disk that is there stays as it is."""
    if instance.task_state == task_states.RESIZE_FINISH:
        root = driver.image_backend.by_name(instance, 'disk')
        root.create_snap(libvirt_utils.RESIZE_SNAPSHOT_NAME)
    directory = pathlib.Path(libvirt_utils.get_instance_path(instance))
    directory.mkdir(exist_ok=True)
    for name in disk_mapping:
        if not name.startswith('disk'):
            continue
        overlay = '' if _stays_raw() else _make_base(name)
        disk = directory / name
        if not disk.exists():
            disk.write_text(f'{overlay}{name} of {instance.uuid}, {_made()}')
    return False, False


def _make_base(name: str) -> str:
    """Make the base that such a disk has; how its overlay begins."""
    if name not in _BASES:
        return ''
    base = fake_hosts.here().instances / '_base' / _BASES[name]
    base.parent.mkdir(exist_ok=True)
    if not base.exists():
        base.write_text(f'formatted, {_made()}\n')
    return _OVERLAY % base.name


def _made() -> str:
    return f'made on {fake_hosts.here().name}'


def _in_its_format(describe):
    def described(*args, **kwargs):
        disk = describe(*args, **kwargs)
        if CONF.libvirt.images_type == 'rbd':
            # One for all hosts, and no file of any.
            disk.source_type = 'network'
            disk.source_protocol = 'rbd'
            disk.source_name = f'vms/{os.path.basename(disk.source_path)}'
            disk.source_path = None
        elif not _stays_raw():
            disk.driver_format = 'qcow2'
        return disk

    return described


def _convert(source, target, in_format, out_format):
    text = pathlib.Path(source).read_text()
    pathlib.Path(target).write_text(f'{out_format} of {text}')


def _inspect(path, format=None):
    size = os.path.getsize(path)
    base = base_of(path)
    return mock.create_autospec(
        images.imageutils.QemuImgInfo,
        disk_size=size,
        virtual_size=size,
        backing_file=base and str(base),
    )
