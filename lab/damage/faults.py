# SPDX-License-Identifier: Apache-2.0
"""How each part is broken, and how it is made whole again."""

import abc
import dataclasses
import sys

from lab.control import rabbit
from lab.damage import table
from lab.frame import netns
from lab.frame import paths as lab_paths
from lab.frame import process
from lab.hosts import deploy
from lab.hosts import machine
from lab.hosts import startup

_FILLER = "/var/lib/nova/filler"
# $1 is the filler, $2 the guest's name in libvirt.
_MAKE_ROOM = """
rm -f "$1"
if virsh domstate --reason "$2" 2>&1 | grep -q "I/O error"; then
    virsh resume "$2"
fi
"""
# Time for everybody who depends on it to notice.
_OUTAGE = 15.0


@dataclasses.dataclass(frozen=True)
class Scene:
    """Whom a row is about.

    :param victim: the host on which something breaks; for what is between
        the hosts any of them
    :param domain: the guest's name in libvirt
    """

    hosts: tuple[machine.Host, ...]
    victim: machine.Host
    domain: str


class Fault(abc.ABC):
    """One thing that breaks in one scene."""

    #: Seconds for which it stays broken.
    outage = 0.0
    #: Whether nothing is heard meanwhile of a guest that goes on there.
    deafens = False

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._victim = scene.victim

    def deed(self) -> tuple[str, str] | None:
        """What a saboteur on the victim does, and to what.

        None when it is done from this machine.
        """
        return None

    def strike(self) -> None:
        """Break it from this machine."""
        raise NotImplementedError

    @abc.abstractmethod
    def heal(self) -> None:
        """Make it whole.

        :raises LabError: it does not become whole
        """


class _Killed(Fault):
    """A service's main process; systemd starts it anew after a while."""

    unit: str

    def deed(self) -> tuple[str, str]:
        show = ["systemctl", "show", "--property=MainPID", "--value"]
        return "kill", self._victim.shell.run([*show, self.unit], 30).strip()

    def heal(self) -> None:
        self._victim.shell.run(["systemctl", "start", self.unit], 60)


class _Service(_Killed):
    unit = deploy.SERVICE


class _Libvirt(_Killed):
    unit = "libvirtd"


class _Emulator(Fault):
    def deed(self) -> tuple[str, str]:
        return "crash", self._scene.domain

    def heal(self) -> None:
        """A dead guest stays dead; the services are whole."""


class _Disk(Fault):
    outage = _OUTAGE
    # The guest's console is a file on it.
    deafens = True

    def deed(self) -> tuple[str, str]:
        return "fill", _FILLER

    def heal(self) -> None:
        """Make room, and have the guest go on if QEMU has stopped it.

        That is what it does with one that cannot write.
        """
        self._victim.shell.run(
            ["sh", "-c", _MAKE_ROOM, "heal", _FILLER, self._scene.domain], 60
        )


class _Bus(Fault):
    outage = _OUTAGE

    def strike(self) -> None:
        process.Daemon(lab_paths.here(), rabbit.DAEMON).stop()

    def heal(self) -> None:
        rabbit.start(lab_paths.here())


class _Network(Fault):
    outage = _OUTAGE

    def strike(self) -> None:
        netns.isolate_hosts(True)
        # Who waits for an answer would do so for minutes.
        for host in self._scene.hosts:
            for other in self._scene.hosts:
                if other is not host:
                    address = lab_paths.host_address(other.number)
                    host.shell.run(["ss", "--kill", "dst", address], 30)

    def heal(self) -> None:
        netns.isolate_hosts(False)


def _note(text: str) -> None:
    print(text, file=sys.stderr)


class _Power(Fault):
    outage = 2.0

    def strike(self) -> None:
        self._victim.stop()

    def heal(self) -> None:
        startup.start(self._victim, self._victim.power_on, _note)


_KINDS: dict[table.Fault, type[Fault]] = {
    table.Fault.SERVICE: _Service,
    table.Fault.LIBVIRT: _Libvirt,
    table.Fault.EMULATOR: _Emulator,
    table.Fault.BUS: _Bus,
    table.Fault.NETWORK: _Network,
    table.Fault.DISK: _Disk,
    table.Fault.POWER: _Power,
}


def make(fault: table.Fault, scene: Scene) -> Fault:
    """The fault of that kind."""
    return _KINDS[fault](scene)
