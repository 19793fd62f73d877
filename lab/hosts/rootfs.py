# SPDX-License-Identifier: Apache-2.0
"""The root file system of a compute host, before it is anybody's.

Debian 13 with libvirt, QEMU and Nova in /opt/nova. The lab also runs the
QEMU of this tree on the machine itself: it is newer than Debian 12's, whose
emulation of nested virtualisation now and then breaks the host's kernel.
"""

import functools
import pathlib
import shutil

from lab.frame import command
from lab.frame import paths as lab_paths
from lab.hosts import sources

RELEASE = "trixie"
VENV = "/opt/nova"
_NOVA = "nova>=32.0.0,<35"
_PACKAGES = (
    "busybox-static",
    "ca-certificates",
    "dbus",
    "e2fsprogs",
    "genisoimage",
    "iproute2",
    "kmod",
    "libvirt-clients",
    "libvirt-daemon-driver-qemu",
    "libvirt-daemon-system",
    "linux-image-cloud-amd64",
    "nfs-common",
    "numactl",
    "openssh-client",
    "openssh-server",
    "openvswitch-switch",
    "procps",
    "python3-libvirt",
    "python3-venv",
    "qemu-system-x86",
    "qemu-utils",
    "rsync",
    "sudo",
    "systemd-sysv",
    "udev",
)
_UNWANTED = ("doc", "info", "locale", "man")
# What the programs of a service are called where a package installs them.
_PROGRAMS = (
    "nova-compute",
    "nova-numa-compute",
    "nova-rootwrap",
    "privsep-helper",
)
_HERE = pathlib.Path(__file__).parent


def build(paths: lab_paths.Paths, tree: pathlib.Path) -> None:
    """Make the tree; a directory that exists is complete.

    :param tree: where it shall be
    :raises LabError: a package could not be installed
    """
    if tree.is_dir():
        return
    unfinished = tree.with_name(tree.name + ".new")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    log = paths.log("image-rootfs")
    _install_debian(unfinished, log)
    _install_nova(paths, unfinished, log)
    unfinished.rename(tree)


def _install_debian(tree: pathlib.Path, log: pathlib.Path) -> None:
    options = ['Acquire::Languages "none"', 'APT::Install-Recommends "false"']
    command.run(
        [
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(_PACKAGES)}",
            *(f"--aptopt={o}" for o in options + sources.apt_options()),
            "--dpkgopt=force-unsafe-io",
            *(f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in _UNWANTED),
            RELEASE,
            str(tree),
            sources.debian_mirror(),
        ],
        log,
        timeout=900,
        # The kernel package would make an initramfs that nobody boots.
        env={"INITRD": "No"},
    )


def _install_nova(
    paths: lab_paths.Paths, tree: pathlib.Path, log: pathlib.Path
) -> None:
    shutil.copy(paths.root / "constraints.txt", tree / "tmp")
    inside = functools.partial(_run_inside, tree, log)
    inside("python3", "-m", "venv", "--system-site-packages", VENV)
    inside(
        f"{VENV}/bin/pip",
        *("install", "--no-compile", "--constraint=/tmp/constraints.txt"),
        _NOVA,
    )
    inside(f"{VENV}/bin/python", *("-m", "compileall", "-qj0", VENV))
    for program in _PROGRAMS:
        (tree / "usr/bin" / program).symlink_to(f"{VENV}/bin/{program}")


def _run_inside(tree: pathlib.Path, log: pathlib.Path, *argv: str) -> None:
    pip = sources.pip()
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        **sources.proxies(),
        **pip.environment,
    }
    command.run(
        [
            str(_HERE / "in-tree"),
            str(tree),
            *map(str, pip.paths),
            "--",
            *("env", "-i"),
            *(f"{name}={value}" for name, value in environment.items()),
            *argv,
        ],
        log,
        timeout=900,
    )


def qemu(tree: pathlib.Path, program: str) -> list[str]:
    """Command that runs a program of the tree's QEMU on this machine.

    It brings its own C library, so that it runs under an older Debian.

    :param program: as ``qemu-system-x86_64`` or ``qemu-img``
    """
    libraries = tree / "usr/lib/x86_64-linux-gnu"
    return [
        "env",
        f"QEMU_MODULE_DIR={libraries / 'qemu'}",
        str(tree / "lib64/ld-linux-x86-64.so.2"),
        "--library-path",
        str(libraries),
        str(tree / "usr/bin" / program),
    ]


def firmware(tree: pathlib.Path) -> list[str]:
    """Options that tell the tree's emulator where its firmware is."""
    return [
        option
        for name in ("qemu", "seabios")
        for option in ("-L", str(tree / "usr/share" / name))
    ]
