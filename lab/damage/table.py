# SPDX-License-Identifier: Apache-2.0
"""The rows of the fault matrix, and the rule for what comes out of each."""

import dataclasses
import enum
import itertools


class Fault(enum.StrEnum):
    """What breaks."""

    #: nova-numa-compute is killed; systemd starts it again.
    SERVICE = "service"
    #: libvirtd is killed; systemd starts it again.
    LIBVIRT = "libvirt"
    #: The guest's QEMU is killed.
    EMULATOR = "emulator"
    #: RabbitMQ stops, with all that it holds, and is started again.
    BUS = "bus"
    #: The hosts do not hear one another; connections between them end.
    NETWORK = "network"
    #: The disk with Nova's files has no byte free.
    DISK = "disk"
    #: The host loses its power, and gets it back.
    POWER = "power"


class Side(enum.StrEnum):
    """Where it breaks."""

    SOURCE = "source"
    DESTINATION = "destination"
    #: Between them, so that it strikes both.
    CLOUD = "cloud"


class Step(enum.StrEnum):
    """When it breaks; the words are those of the plugin's journals."""

    #: Source: a part of the guest's memory is in the checkpoint.
    SAVING = "saving"
    #: Source: the checkpoint is complete and not sent yet.
    SAVED = "saved"
    #: Source: the destination has checkpoint and disks.
    SENT = "sent"
    #: Destination: the guest is about to be started.
    RESTORING = "restoring"
    #: Destination: the guest goes on, and nobody was told yet.
    RESTORED = "restored"

    @property
    def side(self) -> Side:
        """The host that takes this step."""
        if self in (Step.RESTORING, Step.RESTORED):
            return Side.DESTINATION
        return Side.SOURCE


class Promise(enum.Enum):
    """What must come out."""

    #: The guest goes on with its memory, on exactly one host.
    GOES_ON = "goes on"
    #: Its memory is lost with its only copy: it is left as any guest that
    #: crashed, on its source, and boots from disks that are whole.
    BOOTS = "boots anew"


@dataclasses.dataclass(frozen=True)
class Row:
    """One thing that breaks, somewhere, at one moment."""

    fault: Fault
    side: Side
    step: Step

    @property
    def name(self) -> str:
        """As it is called on the command line."""
        return f"{self.fault}-{self.side}-{self.step}"

    @property
    def promise(self) -> Promise:
        """What must come out of it.

        The rule: until the checkpoint is complete the guest's memory is in
        its emulator alone. Afterwards there is always a checkpoint, which
        the source keeps until the move is confirmed.
        """
        kills = self.fault in (Fault.EMULATOR, Fault.POWER)
        only_copy = self.side is Side.SOURCE and self.step is Step.SAVING
        return Promise.BOOTS if kills and only_copy else Promise.GOES_ON


def rows() -> list[Row]:
    """All rows, a fault at a time, in the order of the steps."""
    return [
        Row(fault, side, step)
        for fault, side, step in itertools.product(Fault, Side, Step)
        if _exists(fault, side, step)
    ]


def _exists(fault: Fault, side: Side, step: Step) -> bool:
    """Whether there is something to break, there and then."""
    if fault in (Fault.BUS, Fault.NETWORK):
        return side is Side.CLOUD
    if fault is Fault.EMULATOR:
        # From "saved" to "sent" the guest has none.
        return side is step.side and step not in (Step.SAVED, Step.SENT)
    return side is not Side.CLOUD


#: What is run where nothing else is asked for: something of each side, as far
#: as no host has to start anew.
FEW = (
    "emulator-source-saving",
    "emulator-destination-restoring",
    "bus-cloud-saved",
    "disk-destination-saved",
)


def select(names: list[str]) -> list[Row]:
    """The rows whose names begin so, in the order of the table.

    :raises KeyError: with a beginning that no row has
    """
    wanted: set[str] = set()
    for name in names:
        found = {row.name for row in rows() if row.name.startswith(name)}
        if not found:
            raise KeyError(name)
        wanted |= found
    return [row for row in rows() if row.name in wanted]
