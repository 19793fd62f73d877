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
from typing import Any

import fixtures
from lxml import etree
from nova.tests.fixtures import libvirt as fakelibvirt

from tests.functional import fake_disks
from tests.functional import guest_process
from tests.functional import libvirt_abi
from tests.functional import libvirt_errors
from tests.functional import libvirt_xml
from tests.functional import saved_image

_SAVE_PAUSED = 4

_CONSTANTS = {
    'VIR_DOMAIN_SAVE_BYPASS_CACHE': 1,
    'VIR_DOMAIN_SAVE_RUNNING': 2,
    'VIR_DOMAIN_SAVE_PAUSED': _SAVE_PAUSED,
    'VIR_DOMAIN_SAVE_IMAGE_XML_SECURE': 1,
    'VIR_DOMAIN_PAUSED_UNKNOWN': 0,
    'VIR_DOMAIN_PAUSED_STARTING_UP': 11,
}

#: Devices that Nova's fake follows through attach and detach.
_TRACKED_DEVICES = ('disk', 'filesystem', 'hostdev', 'interface', 'memory')


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
        self.memory = saved_image.GuestMemory() if running else None

    def createWithFlags(self, flags: int) -> None:
        """Boot: the guest starts with an empty memory."""
        self._refuse_if_active()
        super().createWithFlags(flags)
        self.memory = saved_image.GuestMemory()

    def reset(self, flags: int) -> None:
        super().reset(flags)
        self.memory = saved_image.GuestMemory()

    def destroy(self) -> None:
        super().destroy()
        self.memory = None

    def undefine(self) -> None:
        """One that is active goes on, and is gone when it ends."""
        # To Nova's fake, one that is paused is not active.
        if self.memory is not None:
            self._transient = True
        else:
            super().undefine()

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
                    libvirt_xml.element(
                        '<backingStore type="file">'
                        f'<source file="{base}"/></backingStore>'
                    )
                )
        return str(etree.tostring(tree, encoding='unicode'))

    @staticmethod
    def _overlays(
        domain: libvirt_xml.Element,
    ) -> Iterator[tuple[libvirt_xml.Element, str]]:
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

    def saveFlags(
        self, to: str, dxml: str | None = None, flags: int = 0
    ) -> None:
        """Put XML and memory into a file, and stop."""
        xml = dxml or self.XMLDesc(0)
        saved_image.SavedImage(xml, self._running()).write(to)
        self.destroy()

    def resume_from(
        self, image: saved_image.SavedImage, xml: str, paused: bool
    ) -> None:
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

        :raises OSError: when the guest is off.
        """
        if not self.isActive():
            raise FileNotFoundError(f'{self.name()}.pid')
        return guest_process.files(self._defined)

    def migrateToURI3(
        self, dconnuri: str, params: dict[str, Any], flags: int
    ) -> None:
        """Go on at the host that the address names, as described there."""
        image = saved_image.SavedImage(self.XMLDesc(0), self._running())
        there = self._connection.reach(dconnuri)
        there.receive(image, params['destination_xml'])
        self.destroy()
        self.complete_job()

    def _running(self) -> saved_image.GuestMemory:
        if not self.isActive() or self.memory is None:
            raise libvirt_errors.error(
                'Requested operation is not valid: domain is not running',
                fakelibvirt.VIR_ERR_OPERATION_INVALID,
            )
        return self.memory

    def _refuse_if_active(self) -> None:
        if self.isActive():
            raise libvirt_errors.error(
                "Requested operation is not valid: domain "
                f"'{self.name()}' is already active",
                fakelibvirt.VIR_ERR_OPERATION_INVALID,
            )


class Connection(fakelibvirt.Connection):
    """One host's libvirt, able to restore."""

    #: Finds another host's by the address of a live migration.
    reach: Callable[[str], Connection]

    def saveImageGetXMLDesc(self, file: str, flags: int = 0) -> str:
        return saved_image.SavedImage.read(file).xml

    def restoreFlags(
        self, frm: str, dxml: str | None = None, flags: int = 0
    ) -> None:
        """Let the guest in a file go on here, after libvirt's own checks."""
        image = saved_image.SavedImage.read(frm)
        paused = bool(flags & _SAVE_PAUSED)
        self.receive(image, dxml or image.xml, paused)

    def receive(
        self, image: saved_image.SavedImage, xml: str, paused: bool = False
    ) -> None:
        """Let a guest go on here, after libvirt's own checks."""
        wanted = etree.fromstring(xml)
        self._check_nodes_exist(wanted)
        libvirt_abi.check(etree.fromstring(image.xml), wanted)
        domain = self._vms.get(wanted.findtext('name'))
        if domain is None:
            domain = Domain(self, xml, transient=True)
            self._vms[domain.name()] = domain
        domain.resume_from(image, xml, paused)

    def _check_nodes_exist(self, domain: libvirt_xml.Element) -> None:
        there = {cell.id for cell in self.host_info.numa_topology.cells}
        for memory in domain.iterfind('numatune/*'):
            for node in libvirt_xml.ids(memory.get('nodeset', '')):
                if node not in there:
                    raise libvirt_errors.unsupported(
                        f'NUMA node {node} is unavailable'
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
