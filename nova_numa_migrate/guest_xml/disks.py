# SPDX-License-Identifier: Apache-2.0
"""A guest's disks, from its live XML, by what a migration does with them.

Pure: lxml only.
"""

from __future__ import annotations

from pathlib import PurePath

from lxml import etree

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
