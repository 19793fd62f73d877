# SPDX-License-Identifier: Apache-2.0
"""A compute host: a virtual machine with nodes, a disk and an address."""

import collections.abc
import dataclasses
import functools
import pathlib
import subprocess
import time

from lab.frame import errors
from lab.frame import kvm
from lab.frame import paths as lab_paths
from lab.frame import process
from lab.frame import readiness
from lab.hosts import image
from lab.hosts import monitor
from lab.hosts import rootfs
from lab.hosts import settings
from lab.hosts import shell
from lab.hosts import topology

_DISK_NODE = "disk"
# How often, in seconds, an interrupt is looked for that never ends.
_LOOKS = 10
_BETWEEN_LOOKS = 0.3
# The host's own kernel: quick to start, the same at each start.
_KERNEL_OPTIONS = (
    "console=ttyS0 quiet loglevel=4 mitigations=off numa_balancing=disable "
    "transparent_hugepage=never nokaslr tsc=reliable random.trust_cpu=on "
    # An emulated host has no time to wait for its guests to wake up.
    "kvm.halt_poll_ns=0 "
    # Nor to look for work that a host of an hour's life does not have.
    "sysctl.vm.compaction_proactiveness=0 nowatchdog "
    "audit=0 systemd.show_status=false panic=-1"
)


@dataclasses.dataclass(frozen=True)
class Host:
    """One of the two compute hosts.

    :param number: 1 or 2
    """

    number: int

    @property
    def name(self) -> str:
        """Its name in Nova."""
        return lab_paths.host_name(self.number)

    @property
    def daemon(self) -> process.Daemon:
        """The emulator."""
        return process.Daemon(self._paths, self.name)

    @property
    def shell(self) -> shell.Shell:
        """Root's account on it."""
        return shell.Shell(
            self._paths, self.number, image.current(self._paths).key
        )

    @property
    def console_log(self) -> pathlib.Path:
        """What the host's kernel and systemd print."""
        return self._paths.log(f"{self.name}-console")

    def start(self, snapshot: str | None = None) -> None:
        """Power it on, from its image or, standing still, from a snapshot.

        :param snapshot: name that save_snapshot() was given
        :raises LabError: the image is missing or the emulator ended
        """
        built = image.current(self._paths)
        if not built.complete:
            raise errors.LabError("the hosts' image is not built: lab/up")
        if snapshot is None:
            self._make_disk(built)
        self._launch(built, snapshot)

    def power_on(self) -> None:
        """Start it again from the disk that it had.

        :raises LabError: the emulator ended
        """
        self._launch(image.current(self._paths), None)

    def _launch(self, built: image.Image, snapshot: str | None) -> None:
        self._socket.unlink(missing_ok=True)
        process.fresh_log(self.console_log)
        self.daemon.start(self._argv(built, snapshot))
        readiness.wait(
            f"{self.name}'s emulator",
            self._socket.exists,
            timeout=30,
            daemon=self.daemon,
        )

    def alive(self) -> bool:
        """Whether its emulator runs."""
        return self.daemon.alive()

    def wait_ready(self, timeout: float) -> None:
        """Wait until it takes commands and libvirt answers on it.

        :raises LabError: it does not, or its emulator has ended or hangs
        """
        readiness.wait(
            f"libvirt on {self.name}",
            self._is_ready,
            timeout=timeout,
            daemon=self.daemon,
            interval=0.5,
        )

    def save_snapshot(self, name: str) -> None:
        """Stop its processors and save all of it; cont() lets it go on."""
        monitor.execute(self._socket, "stop")
        monitor.save_snapshot(self._socket, name, _DISK_NODE)

    def cont(self) -> None:
        """Let it go on after a snapshot was saved or loaded.

        The time that passed meanwhile is given to it, and connections of
        before are cut, for the other end knows nothing of them.

        :raises LabError: it does not answer
        """
        monitor.execute(self._socket, "cont")
        readiness.wait(
            f"{self.name} after its snapshot",
            self._catch_up,
            timeout=60,
            daemon=self.daemon,
        )

    def stop(self) -> None:
        """Power it off as a failure would."""
        self.shell.close()
        self.daemon.stop(grace=1.0)

    def ssh(
        self, argv: collections.abc.Sequence[str], timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes] | None:
        """Run a command as root on it; None when it took too long."""
        return self.shell.try_run(argv, timeout)

    def check_processors(self) -> None:
        """Refuse a host of which a processor never ends an interrupt.

        QEMU's emulation of several processors at once loses such an end now
        and then: seen in one start of a host in sixteen with QEMU 10.0.13.
        The local APIC has the timer's interrupt in service for ever, the
        processor idles and is never woken by its timer again, and sooner or
        later all that the kernel does waits for it.

        :raises Hang: it is so; only a new start helps
        :raises LabError: the emulator does not answer
        """
        found = self._in_service()
        for _ in range(_LOOKS):
            if not found:
                break
            time.sleep(_BETWEEN_LOOKS)
            # A kernel ends what it has taken within microseconds.
            found &= self._in_service()
        if not found:
            return
        lost = [f"{number} ({taken})" for number, taken in sorted(found)]
        raise Hang(
            self,
            f"{self.name} hangs: its emulator has lost the end of an "
            f"interrupt on processor {', '.join(lost)}",
        )

    def _in_service(self) -> set[tuple[int, str]]:
        return monitor.in_service(self._socket, topology.every_cpu())

    @property
    def _paths(self) -> lab_paths.Paths:
        return lab_paths.here()

    @property
    def _socket(self) -> pathlib.Path:
        return self._paths.run / f"{self.name}.qmp"

    @property
    def _disk(self) -> pathlib.Path:
        return self._paths.lab / "disks" / f"{self.name}.qcow2"

    def _make_disk(self, built: image.Image) -> None:
        self._disk.parent.mkdir(parents=True, exist_ok=True)
        self._disk.unlink(missing_ok=True)
        subprocess.run(
            [
                *rootfs.qemu(built.rootfs, "qemu-img"),
                *("create", "-q", "-f", "qcow2", "-F", "raw"),
                *("-b", str(built.disk), str(self._disk)),
            ],
            check=True,
        )

    def _argv(self, built: image.Image, snapshot: str | None) -> list[str]:
        identity = (
            f"systemd.hostname={self.name} "
            f"systemd.machine_id={self.number:032x}"
        )
        return [
            *rootfs.qemu(built.rootfs, "qemu-system-x86_64"),
            *rootfs.firmware(built.rootfs),
            *("-name", self.name, "-machine", "q35"),
            *_accelerator(built.rootfs),
            *topology.emulator_options(),
            *("-nodefaults", "-no-user-config", "-display", "none"),
            # With panic=-1 above: a host that dies is seen to be dead.
            "-no-reboot",
            *("-serial", f"file:{self.console_log}"),
            *("-qmp", f"unix:{self._socket},server=on,wait=off"),
            *("-kernel", str(built.kernel)),
            *("-initrd", str(built.initramfs)),
            *("-append", f"{_KERNEL_OPTIONS} {identity}"),
            "-blockdev",
            f"driver=qcow2,node-name={_DISK_NODE},discard=unmap,"
            f"file.driver=file,file.filename={self._disk},"
            "cache.no-flush=on",
            *("-device", f"virtio-blk-pci,drive={_DISK_NODE}"),
            *_interface(
                lab_paths.tap_name(self.number),
                settings.mac_address(self.number),
            ),
            *_interface(
                lab_paths.outside_tap_name(self.number),
                settings.outside_mac_address(self.number),
            ),
            *("-object", "rng-random,id=rng,filename=/dev/urandom"),
            *("-device", "virtio-rng-pci,rng=rng"),
            *(("-S", "-loadvm", snapshot) if snapshot else ()),
        ]

    def _is_ready(self) -> bool:
        if self._libvirt_answers():
            return True
        self.check_processors()
        return False

    def _libvirt_answers(self) -> bool:
        result = self.ssh(["virsh", "-c", "qemu:///system", "version"], 6)
        return result is not None and result.returncode == 0

    def _catch_up(self) -> bool:
        self.shell.close()
        now = f"date --set=@{time.time() + 0.3:.2f}"
        cut = f"ss --kill dst {lab_paths.CONTROL_ADDRESS} and sport != :22"
        # The connection that this comes by must not be among those cut.
        result = self.ssh(["sh", "-c", f"{now} && {cut}"], 10)
        if result is not None and result.returncode == 0:
            return True
        self.check_processors()
        return False


def _interface(tap: str, mac: str) -> tuple[str, ...]:
    return (
        "-netdev",
        f"tap,id={tap},ifname={tap},script=no,downscript=no",
        "-device",
        f"virtio-net-pci,netdev={tap},romfile=,mac={mac}",
    )


@functools.cache
def _accelerator(tree: pathlib.Path) -> tuple[str, ...]:
    emulator = rootfs.qemu(tree, "qemu-system-x86_64")
    if kvm.usable([*emulator, *rootfs.firmware(tree)]):
        return ("-accel", "kvm", "-cpu", "host")
    # This processor has nested virtualisation that QEMU can emulate.
    return ("-accel", "tcg,thread=multi", "-cpu", "EPYC")


class Hang(errors.LabError):
    """A host that will never go on; it has to be started anew."""

    def __init__(self, host: Host, message: str) -> None:
        super().__init__(message, host.console_log)
        self.host = host


def hanging(hosts: collections.abc.Iterable[Host]) -> list[str]:
    """Why some of these hosts say nothing any more; none if all are sound."""
    found = []
    for host in hosts:
        try:
            host.check_processors()
        except errors.LabError as error:
            found.append(str(error))
    return found
