# SPDX-License-Identifier: Apache-2.0
"""A guest's disks, from its live XML, by what a migration does with them.

Pure: lxml only.
"""

from __future__ import annotations

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

    :param xml: libvirt's description of the running domain.
    :param directory: that of the instance, on the source.
    """
    domain = etree.fromstring(xml.encode())
    kept = {
        _directory_of(disk) == PurePath(directory)
        for disk in domain.iterfind('devices/disk[@device="disk"]')
        if disk.find('readonly') is None
    }
    if len(kept) > 1:
        return Disks.MIXED
    return Disks.SHARED if kept == {False} else Disks.KEPT


def _directory_of(disk: etree._Element) -> PurePath | None:
    """That of a disk which is a file."""
    source = disk.find('source[@file]')
    return None if source is None else PurePath(source.get('file', '')).parent
