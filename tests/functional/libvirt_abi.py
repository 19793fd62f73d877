# SPDX-License-Identifier: Apache-2.0
"""What a guest would notice if it went on as another domain."""

from __future__ import annotations

from tests.functional import libvirt_errors
from tests.functional import libvirt_xml


def _machine(domain: libvirt_xml.Element) -> str:
    (os_type,) = domain.iterfind('os/type')
    return str(os_type.get('machine'))


def _cpu_mode(domain: libvirt_xml.Element) -> str:
    cpu = domain.find('cpu')
    return 'none' if cpu is None else str(cpu.get('mode', 'custom'))


def _cpus(cell: libvirt_xml.Element) -> list[int]:
    return libvirt_xml.ids(cell.get('cpus', ''))


#: What must be the same, and what libvirt says when it is not.
_SAME = (
    (
        lambda d: d.findtext('uuid'),
        'domain uuid {new} does not match source {old}',
    ),
    (
        lambda d: d.findtext('name'),
        "domain name '{new}' does not match source '{old}'",
    ),
    (
        lambda d: d.findtext('memory'),
        'domain max memory {new} does not match source {old}',
    ),
    (
        lambda d: d.findtext('vcpu'),
        'domain vCPU max {new} does not match source {old}',
    ),
    (_machine, 'domain machine type {new} does not match source {old}'),
    (_cpu_mode, 'CPU mode {new} does not match source {old}'),
    (
        lambda d: len(d.findall('devices/disk')),
        'domain disk count {new} does not match source {old}',
    ),
    (
        lambda d: d.xpath('devices/interface/mac/@address'),
        'network card mac {new} does not match source {old}',
    ),
)


def check(saved: libvirt_xml.Element, wanted: libvirt_xml.Element) -> None:
    """Refuse what the guest would notice, as virDomainDefCheckABIStability.

    :raises fakelibvirt.libvirtError: with libvirt's text.
    """
    for look, text in _SAME:
        old, new = look(saved), look(wanted)
        if old != new:
            raise libvirt_errors.unsupported(
                'Target ' + text.format(old=old, new=new)
            )
    old_cells = saved.findall('cpu/numa/cell')
    new_cells = wanted.findall('cpu/numa/cell')
    if len(old_cells) != len(new_cells):
        raise libvirt_errors.unsupported(
            f"Target NUMA node count '{len(new_cells)}' doesn't match source "
            f"'{len(old_cells)}'"
        )
    for number, (old, new) in enumerate(
        zip(old_cells, new_cells, strict=True)
    ):
        if old.get('memory') != new.get('memory'):
            raise libvirt_errors.unsupported(
                f"Size of target NUMA node {number} ({new.get('memory')}) "
                f"doesn't match source ({old.get('memory')})"
            )
        if _cpus(old) != _cpus(new):
            raise libvirt_errors.unsupported(
                f"Processor mask of target NUMA node {number} doesn't match "
                "source"
            )
