# SPDX-License-Identifier: Apache-2.0
"""Build the disk, kernel and initramfs that both compute hosts start from.

Everything is kept below ``.lab/image`` under a digest of what it was made
from, so that a second build is a look at the file system.
"""

import dataclasses
import functools
import hashlib
import lzma
import pathlib
import shutil

from lab.frame import command
from lab.frame import paths as lab_paths
from lab.frame import steps as lab_steps
from lab.hosts import initramfs
from lab.hosts import rootfs
from lab.hosts import settings

_HERE = pathlib.Path(__file__).parent
_DISK_SIZE = "12G"
_ROOTFS_INPUTS = ("rootfs.py", "sources.py", "in-tree")
_IMAGE_INPUTS = (
    "boot",
    "configure",
    "host.network",
    "image.py",
    "initramfs.py",
    "make-disk",
    "overlay",
    "settings.py",
    "topology.py",
    "../frame/identity.py",
    "../frame/paths.py",
)


@dataclasses.dataclass(frozen=True)
class Image:
    """Where the parts of the image are, built or not yet.

    :param rootfs: tree with the packages; its QEMU also runs the hosts
    :param directory: everything else
    """

    rootfs: pathlib.Path
    directory: pathlib.Path

    @property
    def disk(self) -> pathlib.Path:
        """The hosts' common disk, which is never written to."""
        return self.directory / "disk.raw"

    @property
    def kernel(self) -> pathlib.Path:
        """The kernel of the hosts, and of the guests on them."""
        return self.directory / "kernel"

    @property
    def initramfs(self) -> pathlib.Path:
        """What the kernel starts from."""
        return self.directory / "initramfs"

    @property
    def key(self) -> pathlib.Path:
        """Private key that opens root's account on the hosts."""
        return self.directory / "key" / "id_ed25519"

    @property
    def complete(self) -> bool:
        """Whether a build has come to its end."""
        return self.rootfs.is_dir() and self.directory.is_dir()


@functools.cache
def current(paths: lab_paths.Paths) -> Image:
    """The image that belongs to the checkout as it is now."""
    packages = _digest(
        [paths.root / "constraints.txt"]
        + [_HERE / name for name in _ROOTFS_INPUTS]
    )
    own = _digest([_HERE / name for name in _IMAGE_INPUTS], packages)
    return Image(
        paths.image / f"rootfs-{packages}", paths.image / f"hosts-{own}"
    )


def build(steps: lab_steps.Steps) -> None:
    """Build what the checkout's image lacks; remove older ones.

    :raises LabError: a part could not be built
    """
    paths = lab_paths.here()
    image = current(paths)
    if image.complete:
        return
    with steps("packages of the hosts", paths.log("image-rootfs")):
        rootfs.build(paths, image.rootfs)
    with steps("disk of the hosts", paths.log("image-disk")):
        _build_directory(paths, image)
    for kept in (image.rootfs, image.directory):
        _remove_older(kept)


def _build_directory(paths: lab_paths.Paths, image: Image) -> None:
    unfinished = Image(
        image.rootfs, image.directory.with_name(image.directory.name + ".new")
    )
    work = unfinished.directory
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    shutil.copyfile(
        next(image.rootfs.glob("boot/vmlinuz-*")), unfinished.kernel
    )
    _build_initramfs(unfinished, work / "boot")
    settings.write(work / "files", unfinished.key)
    command.run(
        [
            str(_HERE / "make-disk"),
            str(image.rootfs),
            str(work / "files"),
            str(_HERE / "configure"),
            str(unfinished.disk),
            _DISK_SIZE,
        ],
        paths.log("image-disk"),
        timeout=300,
    )
    work.rename(image.directory)


def _build_initramfs(image: Image, tree: pathlib.Path) -> None:
    for name in ("bin", "dev", "proc", "root"):
        (tree / name).mkdir(parents=True)
    shutil.copy(_HERE / "boot/init", tree / "init")
    shutil.copy(image.rootfs / "usr/bin/busybox", tree / "bin")
    module = kernel_module(image, "drivers/block/virtio_blk")
    (tree / "virtio_blk.ko").write_bytes(module)
    initramfs.pack(tree, image.initramfs)


def kernel_module(image: Image, name: str) -> bytes:
    """A module of the image's kernel, ready to load.

    :param name: path below the kernel's directory, without its ending
    """
    [path] = image.rootfs.glob(f"usr/lib/modules/*/kernel/{name}.ko.xz")
    return lzma.decompress(path.read_bytes())


def _digest(inputs: list[pathlib.Path], seed: str = "") -> str:
    digest = hashlib.sha256(seed.encode())
    for path in inputs:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"{file.name}\0{file.stat().st_mode}".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def _remove_older(kept: pathlib.Path) -> None:
    prefix = kept.name.partition("-")[0]
    for other in kept.parent.glob(f"{prefix}-*"):
        if other != kept:
            shutil.rmtree(other)
