# SPDX-License-Identifier: Apache-2.0
"""What a guest's checkpoint asks of the host that it is to go on at.

The source reads it from the running guest, the destination holds it against
what libvirt says of the host at that moment.  Whatever a host lacks is found
out while the guest still runs.  Pure: texts and numbers only.
"""

from __future__ import annotations

from collections.abc import Iterable
import dataclasses
from pathlib import Path
import shutil
from typing import Any, Self

from lxml import etree

_KIB = 1024
_CELLS = 'host/topology/cells/cell'


@dataclasses.dataclass(frozen=True)
class Demand:
    """What the checkpoint of one running guest needs.

    ``machine`` and ``arch`` are those of its virtual hardware, ``hypervisor``
    is the version of QEMU as libvirt counts it (8.2.1 is 8002001) and ``kib``
    how large the checkpoint may become.
    """

    arch: str
    machine: str
    hypervisor: int
    kib: int

    @classmethod
    def of(cls, xml: str, resident_kib: int | None, hypervisor: int) -> Self:
        """Read it from libvirt's description of the running guest.

        A checkpoint holds the pages that the guest uses, so that it is no
        larger than what QEMU has of memory.

        :param resident_kib: that, None when it is not known; the kernel does
            not count huge pages in it.
        """
        domain = etree.fromstring(xml.encode())
        machine = domain.find('os/type')
        if machine is None:
            raise ValueError('the description of the guest has no os/type')
        kib = int(domain.findtext('memory', '0'))
        if resident_kib and domain.find('memoryBacking/hugepages') is None:
            kib = resident_kib
        return cls(
            machine.get('arch', ''),
            machine.get('machine', ''),
            hypervisor,
            kib,
        )

    def to_primitive(self) -> dict[str, Any]:
        """For a message; ``Demand(**primitive)`` makes it again."""
        return dataclasses.asdict(self)


def refusals(
    demand: Demand, nodes: Iterable[int], capabilities: str, hypervisor: int
) -> list[str]:
    """Why a host cannot take the guest, for people; empty when it can.

    :param nodes: the host nodes that the guest is to be on.
    :param capabilities: libvirt's capabilities of the host, XML.
    :param hypervisor: the version of the host's QEMU.
    """
    host = etree.fromstring(capabilities.encode())
    known = {cell.get('id') for cell in host.iterfind(_CELLS)}
    found = [
        f'libvirt knows no NUMA node {node} there'
        for node in nodes
        if str(node) not in known
    ]
    machines = {
        machine.text
        for arch in host.iterfind('guest/arch')
        if arch.get('name') == demand.arch
        for machine in arch.iter('machine')
    }
    if demand.machine not in machines:
        found.append(
            f'its QEMU has no machine type {demand.machine} ({demand.arch})'
        )
    if hypervisor < demand.hypervisor:
        found.append(
            f'its QEMU is {_version(hypervisor)}, older than the '
            f'{_version(demand.hypervisor)} that the guest runs on'
        )
    return found


def told(host: str, refusals: Iterable[str]) -> str:
    """The refusals of a host as one text."""
    return f'Host {host} cannot take the guest: {"; ".join(refusals)}'


def disk_shortage(directory: Path, kib: int) -> str:
    """What the file system of a directory lacks for a checkpoint.

    :returns: a text for people, empty when there is room.
    :raises OSError: when it cannot be read.
    """
    free = shutil.disk_usage(directory).free // _KIB
    if free >= kib:
        return ''
    return (
        f'{directory} has {free // _KIB} MiB free, the checkpoint may take '
        f'{kib // _KIB} MiB'
    )


def _version(number: int) -> str:
    """libvirt's number as people write it."""
    return f'{number // 1000000}.{number // 1000 % 1000}.{number % 1000}'
