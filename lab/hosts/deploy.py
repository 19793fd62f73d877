# SPDX-License-Identifier: Apache-2.0
"""Put the checkout's plugin on a running host, in seconds."""

import hashlib
import pathlib
import subprocess
import tempfile
import threading

from lab.frame import command
from lab.frame import paths as lab_paths
from lab.hosts import machine
from lab.hosts import rootfs

SERVICE = "nova-numa-compute"
_INPUTS = ("nova_numa_migrate", "pyproject.toml", "setup.cfg")
# Says what a host has; goes there last.
_STAMP = f"{rootfs.VENV}/nova-numa-migrate.digest"
_INSTALL = pathlib.Path(__file__).with_name("install-plugin")
_LOCK = threading.Lock()


def plugin(host: machine.Host) -> bool:
    """Put the checkout's plugin on a running host, if it has another one.

    :returns: whether it was put there and the service restarted
    :raises LabError: the host does not take it
    """
    paths = lab_paths.here()
    wanted = digest(paths.root)
    present = host.shell.try_run(["cat", _STAMP], 30)
    if present and present.stdout.decode().strip() == wanted:
        return False
    host.shell.run(
        [
            *("sh", "-c", _INSTALL.read_text(), _INSTALL.name),
            *(rootfs.VENV, SERVICE, _STAMP, wanted),
        ],
        120,
        _archive(paths),
    )
    return True


def digest(root: pathlib.Path) -> str:
    """Digest of the files that the plugin consists of.

    :param root: the checkout
    """
    total = hashlib.sha256()
    for name in _INPUTS:
        path = root / name
        files = path.rglob("*") if path.is_dir() else [path]
        for file in sorted(files):
            if file.is_file() and file.suffix != ".pyc":
                total.update(f"{file.relative_to(root)}\0".encode())
                total.update(file.read_bytes())
    return total.hexdigest()


def _archive(paths: lab_paths.Paths) -> bytes:
    """The installed plugin as a tar archive."""
    # Two builds in one source tree would meet in its build directory.
    with _LOCK, tempfile.TemporaryDirectory() as directory:
        command.run(
            [
                *(paths.bin("pip"), "install", "--quiet", "--no-deps"),
                *("--no-build-isolation", "--no-compile"),
                *("--target", directory, str(paths.root)),
            ],
            paths.log("plugin"),
            timeout=120,
        )
        packages = (
            path.name
            for path in pathlib.Path(directory).glob("nova_numa_migrate*")
        )
        return subprocess.run(
            # Not the directory itself: it is nobody else's to read.
            ["tar", "-c", "-C", directory, "--mode=go+rX", *sorted(packages)],
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
