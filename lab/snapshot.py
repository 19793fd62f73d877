# SPDX-License-Identifier: Apache-2.0
"""Keep a complete lab on disk, so that the next start takes seconds.

The hosts' memory is inside their disk images; here are the databases, the
keys and the image store, taken while both hosts stand still. A snapshot is
valid for exactly the files that it was made from: the lab's own code and
the pinned versions, not the plugin, which is put on the running hosts.
"""

import concurrent.futures
import hashlib
import json
import pathlib
import shutil

from lab.control import mariadb
from lab.frame import kvm
from lab.frame import paths as lab_paths
from lab.hosts import image
from lab.hosts import machine

NAME = "registered"
# Relative to the checkout.
_INPUTS = (
    "constraints.txt",
    "lab/catalogue.py",
    "lab/control/databases.py",
    "lab/control/seed.py",
    "lab/frame/identity.py",
    "lab/frame/paths.py",
    "lab/guest",
    "lab/hosts",
)
# Relative to the state directory.
_KEPT = (
    "etc/keystone/fernet-keys",
    "etc/keystone/credential-keys",
    "glance/images",
)


def valid(paths: lab_paths.Paths) -> bool:
    """Whether there is a snapshot that fits this checkout."""
    try:
        manifest = json.loads(_manifest(paths).read_text())
    except FileNotFoundError:
        return False
    return bool(manifest == _identity(paths))


def take(paths: lab_paths.Paths, hosts: list[machine.Host]) -> None:
    """Stop both hosts, keep everything, and let them go on."""
    discard(paths)
    paths.snapshot.mkdir(parents=True)
    with concurrent.futures.ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(lambda host: host.save_snapshot(NAME), hosts))
        mariadb.dump(paths, dump(paths))
        for directory in _KEPT:
            shutil.copytree(
                paths.state / directory, paths.snapshot / directory
            )
        list(pool.map(lambda host: host.cont(), hosts))
    _manifest(paths).write_text(json.dumps(_identity(paths)))


def copy_files(paths: lab_paths.Paths) -> None:
    """Put keys and images back to where the services look for them."""
    for directory in _KEPT:
        shutil.copytree(
            paths.snapshot / directory,
            paths.state / directory,
            dirs_exist_ok=True,
        )


def discard(paths: lab_paths.Paths) -> None:
    """Remove the snapshot, if there is one."""
    shutil.rmtree(paths.snapshot, ignore_errors=True)


def dump(paths: lab_paths.Paths) -> pathlib.Path:
    """File with the databases' contents."""
    return paths.snapshot / "databases.sql"


def _manifest(paths: lab_paths.Paths) -> pathlib.Path:
    return paths.snapshot / "manifest.json"


def _identity(paths: lab_paths.Paths) -> dict[str, str]:
    """What the snapshot depends on: machine, image, digests of files."""
    files: list[pathlib.Path] = []
    for name in _INPUTS:
        path = paths.root / name
        files += path.rglob("*") if path.is_dir() else [path]
    return {
        # The memory of a host that ran under KVM is of use only there.
        "kvm": str(kvm.offered()),
        "processor": _processor(),
        "image": _age(image.current(paths).disk),
    } | {
        str(file.relative_to(paths.root)): _digest(file)
        for file in sorted(files)
        if file.is_file() and "__pycache__" not in file.parts
    }


def _digest(file: pathlib.Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _processor() -> str:
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    return next((line for line in lines if line.startswith("model name")), "")


def _age(disk: pathlib.Path) -> str:
    """When the image was built: the hosts' disks hold only changes to it."""
    return str(disk.stat().st_mtime_ns) if disk.exists() else "missing"
