# SPDX-License-Identifier: Apache-2.0
"""A guest's disks, from its live XML, by what a migration does with them.

Pure: lxml only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from lxml import etree

from nova_numa_migrate.move import Disks

#: The names of the base files that Nova makes itself, in
#: ``LibvirtDriver._create_image``; an image's base is named by its digest.
_MADE_HERE = ('ephemeral_', 'swap_')


def over_own_bases(xml: str) -> list[str]:
    """The disks whose base file is not the same on every host.

    The base of an ephemeral or swap disk is formatted on each host for
    itself, with identifiers of its own.  An overlay of one is no disk over
    another.

    :param xml: libvirt's description of the running domain.
    :returns: the targets, as ``vdb``.
    """
    domain = etree.fromstring(xml.encode())
    return [
        str(disk.xpath('string(target/@dev)'))
        for disk in domain.iterfind('devices/disk')
        for base in disk.iterfind('backingStore/source')
        if PurePath(base.get('file', '')).name.startswith(_MADE_HERE)
    ]


def at_a_revert(xml: str, directory: str) -> Disks:
    """What a revert will find of the disks that the guest can write to.

    Nova keeps the files of the instance's directory (also where that is
    shared: the destination gets copies), and nothing else.

    :param xml: libvirt's description of the domain.
    :param directory: that of the instance, on the source.
    """
    kept = {_is_in(file, directory) for file in _written(xml)}
    if len(kept) > 1:
        return Disks.MIXED
    return Disks.SHARED if kept == {False} else Disks.KEPT


def own_files(xml: str, directory: str) -> list[str]:
    """The names of the instance's own files among those disks.

    :param xml: libvirt's description of the domain.
    :param directory: that of the instance.
    """
    return [
        file.name
        for file in _written(xml)
        if file is not None and _is_in(file, directory)
    ]


def _written(xml: str) -> Iterator[PurePath | None]:
    """The disks that the guest can write to: the file, None for others."""
    domain = etree.fromstring(xml.encode())
    for disk in domain.iterfind('devices/disk'):
        # A "lun" is a disk as well: a volume that takes SCSI commands.
        removable = disk.get('device') in ('cdrom', 'floppy')
        if not removable and disk.find('readonly') is None:
            source = disk.find('source[@file]')
            yield None if source is None else PurePath(source.get('file', ''))


def _is_in(file: PurePath | None, directory: str) -> bool:
    return file is not None and file.parent == PurePath(directory)
