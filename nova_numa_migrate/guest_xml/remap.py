# SPDX-License-Identifier: Apache-2.0
"""A saved guest's XML, remapped to the host that it goes on at.

Two descriptions of one guest are joined.  The *saved* one stands in the
checkpoint; what the guest can see of it (CPU model, cells, PCI addresses,
machine type) must not change by a bit.  The *fresh* one is what Nova writes
for the guest on this host, after its claim; what only the host can see of it
(memory policy, pinning, files, taps, ports) is right here and nowhere else.
So the result is the saved XML with its host-side parts taken from the fresh
one.  What is host-side follows libvirt's ABI stability check
(virDomainDefCheckABIStability), which has the last word at the restore.
Pure: lxml only.
"""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

Element = etree._Element


class UnmatchedDevice(ValueError):
    """A saved device that Nova no longer describes; the text names it."""


#: Children of <domain> that only the host sees: replaced as a whole.
_HOST_ONLY = ('cputune', 'numatune', 'metadata', 'perf')


def remap(saved_xml: str, fresh_xml: str) -> str:
    """The saved guest as it has to be started on this host.

    :param saved_xml: the XML in the checkpoint (VIR_DOMAIN_XML_SECURE).
    :param fresh_xml: the XML that Nova made for the guest on this host.
    :raises UnmatchedDevice: when a saved disk, port or channel has no
        counterpart in the fresh XML, so that its host side is unknown.
    """
    saved = etree.fromstring(saved_xml.encode())
    fresh = etree.fromstring(fresh_xml.encode())
    _remap_vcpus(saved, fresh)
    for tag in _HOST_ONLY:
        _replace_child(saved, fresh, tag)
    _remap_pages(saved, fresh)
    _keep_saved_iothreads(saved)
    _remap_boot_files(saved, fresh)
    _drop_generated_labels(saved)
    _drop_mirrored_consoles(saved, fresh)
    for path, key, remap_device in _DEVICES:
        counterparts = {key(d): d for d in fresh.iterfind(path)}
        for device in saved.iterfind(path):
            counterpart = counterparts.get(key(device))
            if counterpart is None:
                raise UnmatchedDevice(
                    f'The saved guest has the {device.tag} '
                    f'"{key(device)}", which Nova does not describe any '
                    'more: it was detached while the guest was moving'
                )
            remap_device(device, counterpart)
    return str(etree.tostring(saved, encoding='unicode'))


def _replace_child(saved: Element, fresh: Element, tag: str) -> None:
    """Make the child of that name the fresh one, or take it away."""
    old, new = saved.find(tag), fresh.find(tag)
    if old is not None and new is not None:
        saved.replace(old, new)
    elif old is not None:
        saved.remove(old)
    elif new is not None:
        saved.append(new)


def _copy_attribute(saved: Element, fresh: Element, name: str) -> None:
    value = fresh.get(name)
    if value is not None:
        saved.set(name, value)
    else:
        saved.attrib.pop(name, '')


def _remap_vcpus(saved: Element, fresh: Element) -> None:
    old, new = saved.find('vcpu'), fresh.find('vcpu')
    if old is not None and new is not None:
        _copy_attribute(old, new, 'cpuset')


def _remap_pages(saved: Element, fresh: Element) -> None:
    """The size of the host's pages is that of the claim.

    Of the memory's backing libvirt lets nothing else change.
    """
    old, new = (_backing(domain) for domain in (saved, fresh))
    _replace_child(old, new, 'hugepages')
    if not len(old):
        saved.remove(old)


def _backing(domain: Element) -> Element:
    found = domain.find('memoryBacking')
    if found is None:
        found = etree.SubElement(domain, 'memoryBacking')
    return found


def _keep_saved_iothreads(saved: Element) -> None:
    """Drop the pins of I/O threads that the saved guest does not have.

    Nova gives guests an I/O thread since 33.0; one saved before that goes on
    without it, and libvirt refuses a pin without a thread.
    """
    count = int(saved.findtext('iothreads') or 0)
    for cputune in saved.findall('cputune'):
        for pin in cputune.findall('iothreadpin'):
            if int(pin.get('iothread', '0')) > count:
                cputune.remove(pin)


def _remap_boot_files(saved: Element, fresh: Element) -> None:
    """Kernel and ramdisk are files of the host; the guest has read them."""
    for path in ('os/kernel', 'os/initrd'):
        old, new = saved.find(path), fresh.find(path)
        if old is not None and new is not None:
            old.text = new.text


def _drop_generated_labels(saved: Element) -> None:
    """Labels that libvirt generated name ids of the source host."""
    for label in saved.findall('seclabel'):
        if label.get('type') == 'dynamic':
            saved.remove(label)


def _drop_mirrored_consoles(saved: Element, fresh: Element) -> None:
    """libvirt shows the first serial port once more as a console.

    Nova does not describe that mirror, and libvirt makes it again.
    """
    if fresh.find('devices/console') is not None:
        return
    for devices in saved.findall('devices'):
        for console in devices.findall('console'):
            devices.remove(console)


def _remap_disk(saved: Element, fresh: Element) -> None:
    _copy_attribute(saved, fresh, 'type')
    # libvirt looks up the backing chain again when none is given.
    for tag in ('backingStore', 'mirror'):
        for chain in saved.findall(tag):
            saved.remove(chain)
    # The secrets of a volume are libvirt's on one host, each with its uuid.
    for tag in ('source', 'auth', 'encryption'):
        _replace_child(saved, fresh, tag)
    old, new = saved.find('driver'), fresh.find('driver')
    if old is not None and new is not None:
        # Nova may convert the image on its way; the guest cannot see that.
        for name in ('type', 'cache', 'io', 'discard'):
            _copy_attribute(old, new, name)


def _remap_port(saved: Element, fresh: Element) -> None:
    _copy_attribute(saved, fresh, 'type')
    for tag in ('source', 'target', 'virtualport', 'filterref', 'bandwidth'):
        _replace_child(saved, fresh, tag)


def _remap_stream(saved: Element, fresh: Element) -> None:
    """A serial port, console or channel: its other end and its log."""
    _copy_attribute(saved, fresh, 'type')
    saved.attrib.pop('tty', '')
    for tag in ('source', 'log'):
        _replace_child(saved, fresh, tag)


def _remap_graphics(saved: Element, fresh: Element) -> None:
    for name in ('listen', 'port', 'tlsPort', 'autoport', 'websocket'):
        _copy_attribute(saved, fresh, name)
    for listen in saved.findall('listen'):
        saved.remove(listen)
    for position, listen in enumerate(fresh.findall('listen')):
        saved.insert(position, listen)


def _remap_rng(saved: Element, fresh: Element) -> None:
    _replace_child(saved, fresh, 'backend')


def _port_key(element: Element) -> str:
    mac = element.find('mac')
    return '' if mac is None else str(mac.get('address', '')).lower()


def _disk_key(element: Element) -> str:
    target = element.find('target')
    return '' if target is None else str(target.get('dev', ''))


def _stream_key(element: Element) -> str:
    target = element.find('target')
    if target is None:
        # Nova names no target for an only serial port; libvirt numbers it.
        return '0'
    return str(target.get('name') or target.get('port') or '0')


def _type_key(element: Element) -> str:
    return str(element.get('type') or element.get('model') or '')


_Key = Callable[[Element], str]
_Remap = Callable[[Element, Element], None]

#: Devices with a host side: path, what identifies one, how it is remapped.
_DEVICES: tuple[tuple[str, _Key, _Remap], ...] = (
    ('devices/disk', _disk_key, _remap_disk),
    ('devices/interface', _port_key, _remap_port),
    ('devices/serial', _stream_key, _remap_stream),
    ('devices/console', _stream_key, _remap_stream),
    ('devices/channel', _stream_key, _remap_stream),
    ('devices/graphics', _type_key, _remap_graphics),
    ('devices/rng', _type_key, _remap_rng),
)
