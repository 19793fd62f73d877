# SPDX-License-Identifier: Apache-2.0
"""Build the guest's initramfs and disk; the kernel is the host's own."""

import dataclasses
import os
import pathlib
import shutil
import subprocess

from lab.frame import command
from lab.frame import paths as lab_paths
from lab.frame import steps as lab_steps
from lab.hosts import image
from lab.hosts import initramfs

_HERE = pathlib.Path(__file__).parent
_SOURCES = ("init.c", "drives.c")
_DISK_SIZE = "16M"
# init.c expects these 4096 bytes.
_KNOWN_FILE = b"0123456789abcdef" * 256
# In the order in which they are loaded: those of all guests, and those for
# a kind of virtio device, by its number, where there is one.
_MODULES = {
    "base": (
        "drivers/block/virtio_blk",
        "drivers/input/evdev",
        "drivers/acpi/button",
    ),
    "1": (
        "net/core/failover",
        "drivers/net/net_failover",
        "drivers/net/virtio_net",
    ),
    "8": (
        "drivers/scsi/scsi_common",
        "drivers/scsi/scsi_mod",
        "drivers/scsi/virtio_scsi",
        "drivers/cdrom/cdrom",
        "drivers/scsi/sr_mod",
    ),
}
# The emulated clock is slow to calibrate and good enough as it is.
COMMAND_LINE = (
    "console=ttyS0 quiet mitigations=off tsc=reliable "
    "random.trust_cpu=on lpj=4000000 no_timer_check"
)


@dataclasses.dataclass(frozen=True)
class GuestFiles:
    """Files that become the guest's images in Glance.

    :param kernel: container and disk format aki
    :param initramfs: container and disk format ari
    :param disk: raw, an ext4 file system
    """

    kernel: pathlib.Path
    initramfs: pathlib.Path
    disk: pathlib.Path


def files(paths: lab_paths.Paths) -> GuestFiles:
    """Where the guest's files are, built or not yet."""
    host = image.current(paths)
    directory = host.directory / "guest"
    return GuestFiles(
        host.kernel, directory / "initramfs", directory / "disk.raw"
    )


def build(steps: lab_steps.Steps) -> GuestFiles:
    """Build the files, which takes two seconds; needs the host image.

    :raises LabError: the program does not compile
    """
    paths = lab_paths.here()
    found = files(paths)
    work = found.disk.parent
    if work.exists():
        shutil.rmtree(work)
    work.mkdir()
    with steps("guest of the lab", paths.log("image-guest")):
        _build_initramfs(paths, work / "tree", found.initramfs)
        _build_disk(paths, work / "files", found.disk)
    return found


def _build_initramfs(
    paths: lab_paths.Paths, tree: pathlib.Path, target: pathlib.Path
) -> None:
    (tree / "dev").mkdir(parents=True)
    # Without it the kernel gives the first process no output at all.
    os.mknod(tree / "dev/console", 0o600 | 0o020000, os.makedev(5, 1))
    for kind, names in _MODULES.items():
        directory = tree / "modules" / kind
        directory.mkdir(parents=True)
        for number, name in enumerate(names):
            file = directory / f"{number}-{pathlib.Path(name).name}.ko"
            file.write_bytes(image.kernel_module(image.current(paths), name))
    command.run(
        [
            *("gcc", "-static", "-s", "-O2", "-Wall", "-Wextra", "-Werror"),
            *("-o", str(tree / "init")),
            *(str(_HERE / name) for name in _SOURCES),
        ],
        paths.log("image-guest"),
        timeout=120,
    )
    initramfs.pack(tree, target)


def _build_disk(
    paths: lab_paths.Paths, tree: pathlib.Path, target: pathlib.Path
) -> None:
    tree.mkdir()
    (tree / "known").write_bytes(_KNOWN_FILE)
    subprocess.run(
        ["mkfs.ext4", "-q", "-F", "-d", str(tree), str(target), _DISK_SIZE],
        check=True,
    )
