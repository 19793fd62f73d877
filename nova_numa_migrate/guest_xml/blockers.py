# SPDX-License-Identifier: Apache-2.0
"""Why a running guest cannot be checkpointed, from its live XML.

Every reason is named at once, each with its device, so that an operator
needs one look.  Pure: lxml only.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lxml import etree

#: What cannot travel in a file, and what the operator calls it.  The path is
#: an XPath from <domain>; the text is formatted with the element's attributes.
_BLOCKERS = (
    ('devices/hostdev[@type="pci"]', 'PCI device passed through'),
    ('devices/hostdev[@type="mdev"]', 'mediated device (vGPU)'),
    (
        'devices/hostdev[not(@type="pci" or @type="mdev")]',
        'host device passed through',
    ),
    ('devices/interface[@type="hostdev"]', 'SR-IOV port'),
    ('devices/interface[@type="vdpa"]', 'vDPA port'),
    ('devices/interface[@type="direct"]', 'macvtap port'),
    ('devices/filesystem', 'virtiofs share'),
    ('devices/tpm', 'vTPM'),
    ('devices/memory[@model="nvdimm"]', 'persistent memory device'),
    ('devices/shmem', 'shared memory device'),
    ('launchSecurity', 'encrypted memory'),
    ('os/nvram', 'UEFI variable store (NVRAM)'),
)

#: Nova carries files alone; its volumes are blocks of the host as well.
_LVM = 'LVM disk'


def blockers(xml: str, volumes: Collection[str] = ()) -> list[str]:
    """Every reason why the guest of this XML cannot be checkpointed.

    :param xml: libvirt's description of the running domain.
    :param volumes: the targets of disks that are Cinder's, as ``vdb``.
    :returns: one text a device, as ``SR-IOV port (hostdev0)``; empty when
        the guest can be checkpointed.
    """
    domain = etree.fromstring(xml.encode())
    found = [
        (name, element)
        for path, name in _BLOCKERS
        for element in _find(domain, path)
    ]
    found += [
        (_LVM, disk)
        for disk in _find(domain, 'devices/disk[@type="block"]')
        if disk.find('target').get('dev') not in volumes
    ]
    return [f'{name} ({_label(element)})' for name, element in found]


def _find(element: etree._Element, path: str) -> list[Any]:
    found: Any = element.xpath(path)
    return list(found)


def _label(element: etree._Element) -> str:
    """What an operator can find the device by."""
    for path in ('alias/@name', 'target/@dev', 'mac/@address'):
        found = _find(element, path)
        if found:
            return str(found[0])
    return element.tag
