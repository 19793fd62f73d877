# SPDX-License-Identifier: Apache-2.0
"""What Nova's fake libvirt lacks, added in one place.

Nova's fake keeps no guest memory, forgets most of a domain's XML and cannot
save or restore.  Here a domain has a memory (a boot id, and a counter that
only goes on while it runs), its XML comes back as it was defined, a save
writes a real file that holds both, and a restore refuses what libvirt's own
ABI check refuses, in libvirt's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import copy
import dataclasses
import json
import os
from typing import Any, Self
import uuid

import fixtures
from lxml import etree
from nova.tests.fixtures import libvirt as fakelibvirt

from tests.functional import fake_disks

Element = etree._Element

_SAVE_PAUSED = 4

_CONSTANTS = {
    'VIR_DOMAIN_SAVE_BYPASS_CACHE': 1,
    'VIR_DOMAIN_SAVE_RUNNING': 2,
    'VIR_DOMAIN_SAVE_PAUSED': _SAVE_PAUSED,
    'VIR_DOMAIN_SAVE_IMAGE_XML_SECURE': 1,
    'VIR_DOMAIN_PAUSED_UNKNOWN': 0,
    'VIR_DOMAIN_PAUSED_STARTING_UP': 11,
    'VIR_DOMAIN_SAVE_PARAM_FILE': 'file',
    'VIR_DOMAIN_SAVE_PARAM_DXML': 'dxml',
}

#: Devices that Nova's fake follows through attach and detach.
_TRACKED_DEVICES = ('disk', 'filesystem', 'hostdev', 'interface', 'memory')


def element(xml: str) -> Element:
    """A device, to be hidden in a running domain."""
    return etree.fromstring(xml)


def _error(text: str, code: int) -> Exception:
    error: Exception = fakelibvirt.make_libvirtError(
        fakelibvirt.libvirtError,
        text,
        error_code=code,
        error_domain=fakelibvirt.VIR_FROM_QEMU,
        error_message=text,
    )
    return error


def _unsupported(text: str) -> Exception:
    return _error(
        f'unsupported configuration: {text}',
        fakelibvirt.VIR_ERR_CONFIG_UNSUPPORTED,
    )


def unreachable(uri: str) -> Exception:
    """What a live migration to a host that does not answer ends with."""
    return _error(
        f"unable to connect to server at '{uri}': Connection refused",
        fakelibvirt.VIR_ERR_OPERATION_FAILED,
    )


@dataclasses.dataclass
class GuestMemory:
    """What a running guest would lose if it were stopped.

    ``boot_id`` is new at every boot; ``counter`` goes on at every look.
    """

    boot_id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)
    counter: int = 0

    def tick(self) -> int:
        """Let the guest run for a while; where its counter is then."""
        self.counter += 1
        return self.counter


@dataclasses.dataclass(frozen=True)
class SavedImage:
    """The content of a file that virDomainSave wrote."""

    xml: str
    memory: GuestMemory

    def write(self, path: str) -> None:
        """Write it as libvirt does: for its owner alone, from the start."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise _error(
                f"Failed to open file '{path}': {error.strerror}",
                fakelibvirt.VIR_ERR_OPERATION_FAILED,
            ) from error
        with os.fdopen(descriptor, 'w') as file:
            json.dump(dataclasses.asdict(self), file)

    @classmethod
    def read(cls, path: str) -> Self:
        """Read it, or refuse it as libvirt does."""
        try:
            with open(path) as file:
                stored = json.load(file)
        except OSError as error:
            raise _error(
                f"Failed to open file '{path}': {error.strerror}",
                fakelibvirt.VIR_ERR_OPERATION_FAILED,
            ) from error
        except ValueError as error:
            raise _error(
                'operation failed: save image is incomplete',
                fakelibvirt.VIR_ERR_OPERATION_FAILED,
            ) from error
        return cls(stored['xml'], GuestMemory(**stored['memory']))


class Domain(fakelibvirt.Domain):
    """A domain with a memory, whose XML comes back as it was defined."""

    def __init__(
        self,
        connection: Connection,
        xml: str,
        running: bool = False,
        transient: bool = False,
    ) -> None:
        super().__init__(connection, xml, running, transient)
        self._defined = etree.fromstring(xml)
        #: None while the domain is off.
        self.memory = GuestMemory() if running else None

    def createWithFlags(self, flags: int) -> None:
        """Boot: the guest starts with an empty memory."""
        self._refuse_if_active()
        super().createWithFlags(flags)
        self.memory = GuestMemory()

    def reset(self, flags: int) -> None:
        super().reset(flags)
        self.memory = GuestMemory()

    def destroy(self) -> None:
        super().destroy()
        self.memory = None

    def shutdown(self) -> None:
        super().shutdown()
        self.memory = None

    def XMLDesc(self, flags: int) -> str:
        """The defined XML with the devices that are attached now."""
        tree = copy.deepcopy(self._defined)
        if self.isActive():
            tree.set('id', str(self._id))
        devices = tree.find('devices')
        now = etree.fromstring(super().XMLDesc(flags)).find('devices')
        if devices is not None and now is not None:
            for tag in _TRACKED_DEVICES:
                for stale in devices.findall(tag):
                    devices.remove(stale)
                devices.extend(now.findall(tag))
        if self.isActive():
            for disk, base in self._overlays(tree):
                disk.append(
                    element(
                        '<backingStore type="file">'
                        f'<source file="{base}"/></backingStore>'
                    )
                )
        return str(etree.tostring(tree, encoding='unicode'))

    @staticmethod
    def _overlays(domain: Element) -> Iterator[tuple[Element, str]]:
        """The disks that have a base file, and its path."""
        for disk in domain.iterfind('devices/disk'):
            for source in disk.iterfind('source[@file]'):
                base = fake_disks.base_of(source.get('file', ''))
                if base is not None:
                    yield disk, str(base)

    def blockRebase(
        self,
        disk: str,
        base: str | None,
        bandwidth: int = 0,
        flags: int = 0,
    ) -> int:
        """Without a new base: the disk takes its old one in."""
        if base is not None or flags:
            found: int = super().blockRebase(disk, base, bandwidth, flags)
            return found
        tree = etree.fromstring(self.XMLDesc(0))
        path = tree.xpath(f'string(//disk[target/@dev="{disk}"]/source/@file)')
        fake_disks.make_whole(str(path))
        return 0

    def state(self, flags: int = 0) -> list[int]:
        """Its state, and no reason for it."""
        return [self._state, 0]

    def save(self, to: str) -> None:
        self.saveFlags(to)

    def saveParams(self, params: dict[str, Any], flags: int = 0) -> None:
        self.saveFlags(params['file'], params.get('dxml'), flags)

    def saveFlags(
        self, to: str, dxml: str | None = None, flags: int = 0
    ) -> None:
        """Put XML and memory into a file, and stop."""
        SavedImage(dxml or self.XMLDesc(0), self._running()).write(to)
        self.destroy()

    def resume_from(self, image: SavedImage, xml: str, paused: bool) -> None:
        """Go on with what the image holds."""
        self._refuse_if_active()
        self._def = self._parse_definition(xml)
        self._defined = etree.fromstring(xml)
        self.memory = image.memory
        self._state = (
            fakelibvirt.VIR_DOMAIN_PAUSED
            if paused
            else fakelibvirt.VIR_DOMAIN_RUNNING
        )
        self._connection._mark_running(self)

    def process(self) -> tuple[str, str, str]:
        """The maps, numa_maps and command line of this guest's QEMU.

        Each guest cell is one area, all of it on the node it is bound to,
        and so is the memory of a guest without cells, which may be spread
        over its nodes; before them an area that is no guest memory.

        :raises OSError: when the guest is off.
        """
        if not self.isActive():
            raise FileNotFoundError(f'{self.name()}.pid')
        maps = ['55d000000000-55d000002000 r-xp 00000000 fd:00 9 /bin/qemu']
        numa_maps = ['55d000000000 default file=/bin/qemu mapped=2 N0=2']
        nodes = {
            memnode.get('cellid'): memnode.get('nodeset')
            for memnode in self._defined.iterfind('numatune/memnode')
        }
        start = 0x7F0000000000
        for kib, policy, spread in self._memory_areas(nodes):
            end = start + kib * 1024
            maps.append(f'{start:x}-{end:x} rw-p 00000000 00:00 0')
            pages = kib // 4 // len(spread)
            numa_maps.append(
                f'{start:x} {policy} anon={kib // 4} dirty={kib // 4} '
                f'{" ".join(f"N{node}={pages}" for node in spread)} '
                'kernelpagesize_kB=4'
            )
            start = end + 0x1000
        command = ['qemu-system-x86_64']
        for cell_id, nodeset in nodes.items():
            backend = {
                'id': f'ram-node{cell_id}',
                'host-nodes': _ids(nodeset or ''),
            }
            command += ['-object', json.dumps(backend)]
        return (
            '\n'.join(maps) + '\n',
            '\n'.join(numa_maps) + '\n',
            '\0'.join(command) + '\0',
        )

    def _memory_areas(
        self, nodes: dict[str | None, str | None]
    ) -> Iterator[tuple[int, str, list[int]]]:
        """KiB, policy and host nodes of each area of guest memory."""
        cells = self._defined.findall('cpu/numa/cell')
        for cell in cells:
            node = nodes[cell.get('id')] or ''
            yield int(cell.get('memory', 0)), f'bind:{node}', _ids(node)
        if cells:
            return
        kib = int(self._defined.findtext('memory'))
        bound = self._defined.find('numatune/memory')
        if bound is None:
            yield kib, 'default', [0]
            return
        names = {'strict': 'bind', 'interleave': 'interleave'}
        nodeset = bound.get('nodeset')
        yield kib, f'{names[bound.get("mode")]}:{nodeset}', _ids(nodeset)

    def migrateToURI3(
        self, dconnuri: str, params: dict[str, Any], flags: int
    ) -> None:
        """Go on at the host that the address names, as described there."""
        image = SavedImage(self.XMLDesc(0), self._running())
        there = self._connection.reach(dconnuri)
        there.receive(image, params['destination_xml'])
        self.destroy()
        self.complete_job()

    def _running(self) -> GuestMemory:
        if not self.isActive() or self.memory is None:
            raise _error(
                'Requested operation is not valid: domain is not running',
                fakelibvirt.VIR_ERR_OPERATION_INVALID,
            )
        return self.memory

    def _refuse_if_active(self) -> None:
        if self.isActive():
            raise _error(
                "Requested operation is not valid: domain "
                f"'{self.name()}' is already active",
                fakelibvirt.VIR_ERR_OPERATION_INVALID,
            )


class Connection(fakelibvirt.Connection):
    """One host's libvirt, able to restore."""

    #: Finds another host's by the address of a live migration.
    reach: Callable[[str], Connection]

    def saveImageGetXMLDesc(self, file: str, flags: int = 0) -> str:
        return SavedImage.read(file).xml

    def restore(self, frm: str) -> None:
        self.restoreFlags(frm)

    def restoreParams(self, params: dict[str, Any], flags: int = 0) -> None:
        self.restoreFlags(params['file'], params.get('dxml'), flags)

    def restoreFlags(
        self, frm: str, dxml: str | None = None, flags: int = 0
    ) -> None:
        """Let the guest in a file go on here, after libvirt's own checks."""
        image = SavedImage.read(frm)
        paused = bool(flags & _SAVE_PAUSED)
        self.receive(image, dxml or image.xml, paused)

    def receive(
        self, image: SavedImage, xml: str, paused: bool = False
    ) -> None:
        """Let a guest go on here, after libvirt's own checks."""
        wanted = etree.fromstring(xml)
        self._check_nodes_exist(wanted)
        check_abi(etree.fromstring(image.xml), wanted)
        domain = self._vms.get(wanted.findtext('name'))
        if domain is None:
            domain = Domain(self, xml, transient=True)
            self._vms[domain.name()] = domain
        domain.resume_from(image, xml, paused)

    def _check_nodes_exist(self, domain: Element) -> None:
        there = {cell.id for cell in self.host_info.numa_topology.cells}
        for memory in domain.iterfind('numatune/*'):
            for node in _ids(memory.get('nodeset', '')):
                if node not in there:
                    raise _unsupported(f'NUMA node {node} is unavailable')


def _ids(text: str) -> list[int]:
    """The ids of a libvirt set such as ``0-1,3``."""
    ids: list[int] = []
    for item in text.split(','):
        first, _, last = item.partition('-')
        ids += range(int(first), int(last or first) + 1)
    return ids


def _machine(domain: Element) -> str:
    (os_type,) = domain.iterfind('os/type')
    return str(os_type.get('machine'))


def _cpu_mode(domain: Element) -> str:
    cpu = domain.find('cpu')
    return 'none' if cpu is None else str(cpu.get('mode', 'custom'))


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


def check_abi(saved: Element, wanted: Element) -> None:
    """Refuse what the guest would notice, as virDomainDefCheckABIStability.

    :raises fakelibvirt.libvirtError: with libvirt's text.
    """
    for look, text in _SAME:
        old, new = look(saved), look(wanted)
        if old != new:
            raise _unsupported('Target ' + text.format(old=old, new=new))
    old_cells = saved.findall('cpu/numa/cell')
    new_cells = wanted.findall('cpu/numa/cell')
    if len(old_cells) != len(new_cells):
        raise _unsupported(
            f"Target NUMA node count '{len(new_cells)}' doesn't match source "
            f"'{len(old_cells)}'"
        )
    for number, (old, new) in enumerate(
        zip(old_cells, new_cells, strict=True)
    ):
        if old.get('memory') != new.get('memory'):
            raise _unsupported(
                f"Size of target NUMA node {number} ({new.get('memory')}) "
                f"doesn't match source ({old.get('memory')})"
            )
        if _ids(old.get('cpus', '')) != _ids(new.get('cpus', '')):
            raise _unsupported(
                f"Processor mask of target NUMA node {number} doesn't match "
                "source"
            )


class FakeLibvirtFixture(fixtures.Fixture):
    """Puts the domains and connections of this module in Nova's place."""

    def _setUp(self) -> None:
        names = {'Domain': Domain, 'Connection': Connection, **_CONSTANTS}
        for name, value in names.items():
            self.useFixture(
                fixtures.MonkeyPatch(
                    f'nova.tests.fixtures.libvirt.{name}', value
                )
            )
