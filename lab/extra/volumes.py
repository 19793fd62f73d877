# SPDX-License-Identifier: Apache-2.0
"""Volumes: Cinder's API, scheduler and volume service, as they are.

A volume is a file in the directory that the NFS server exports. The hosts
mount that; the volume service runs where the directory is, and sees it in the
place of the mount that it would make.
"""

import collections.abc
import contextlib
import hashlib
import pathlib
import string
import typing

from openstack import connection
from openstack.block_storage.v3 import volume as sdk_volume

from lab.control import mariadb
from lab.control import seed
from lab.control import wsgi
from lab.extra import storage
from lab.frame import command
from lab.frame import identity
from lab.frame import paths as lab_paths
from lab.frame import patience
from lab.frame import process
from lab.frame import readiness
from lab.frame import steps as lab_steps

_PORT = 8776
_TEMPLATE = pathlib.Path(__file__).with_name("cinder.conf")
_PROGRAMS = ("cinder-api", "cinder-scheduler", "cinder-volume")
_TIMEOUT = 180
# The mount is this process's and its children's, and ends with them.
_IN_PLACE = 'mount --bind "$1" "$2"; shift 2; exec "$@"'


def install() -> None:
    """Install what it needs, from where packages can be had.

    :raises LabError: they cannot
    """
    storage.install()
    paths = lab_paths.here()
    command.run(
        [str(paths.root / "tools" / "venv"), "extra"],
        paths.log("venv-extra"),
        timeout=300,
    )


@contextlib.contextmanager
def running(
    cloud: connection.Connection,
    directory: pathlib.Path,
    steps: lab_steps.Steps,
) -> collections.abc.Iterator[None]:
    """Cinder.

    :param directory: the one that ``storage.exported`` yields
    :raises LabError: a part of it does not come up
    """
    paths = lab_paths.here()
    daemons = [process.Daemon(paths, name) for name in _PROGRAMS]
    try:
        with steps("Cinder"):
            config = _configure(paths, directory)
            _fill(paths, cloud, config)
            _start(paths, directory, config, daemons)
            _wait(cloud, daemons)
        yield
    finally:
        # Where Nova finds it, it asks it about every guest.
        seed.withdraw(cloud, "cinder")
        for daemon in daemons:
            daemon.stop()


def create(cloud: connection.Connection, name: str) -> None:
    """Make an empty volume of 1 GiB.

    :raises LabError: it does not become available
    """
    volume = cloud.block_storage.create_volume(name=name, size=1)
    readiness.wait(
        f"volume {name}",
        lambda: _status(cloud, volume.id) == "available",
        timeout=_TIMEOUT,
        interval=0.5,
    )


def remove(cloud: connection.Connection, name: str) -> None:
    """Delete the volumes that there are of this name, and wait."""
    for volume in cloud.block_storage.volumes(name=name):
        cloud.block_storage.delete_volume(volume.id)
        cloud.block_storage.wait_for_delete(
            volume, interval=0.5, wait=int(patience.limit(_TIMEOUT))
        )


def _status(cloud: connection.Connection, volume: str) -> str:
    found = typing.cast(
        "sdk_volume.Volume", cloud.block_storage.get_volume(volume)
    )
    return str(found.status)


def _configure(
    paths: lab_paths.Paths, directory: pathlib.Path
) -> pathlib.Path:
    (directory / "volumes").mkdir()
    home = paths.etc / "cinder"
    state = paths.state / "cinder"
    for path in (home, state, _mount_point(paths)):
        path.mkdir(parents=True, exist_ok=True)
    shares = home / "shares"
    shares.write_text(f"{storage.share('volumes')}\n")
    config = home / "cinder.conf"
    config.write_text(
        string.Template(_TEMPLATE.read_text()).substitute(
            address=lab_paths.CONTROL_ADDRESS,
            auth_url=identity.auth_url(),
            credentials=identity.credentials("cinder"),
            database=mariadb.url("cinder"),
            glance=wsgi.GLANCE.url,
            helper=paths.bin("privsep-helper"),
            mounts=_mount_point(paths).parent,
            shares=shares,
            state=state,
            transport_url=identity.transport_url(),
            venv_etc=paths.venv / "etc",
        )
    )
    return config


def _mount_point(paths: lab_paths.Paths) -> pathlib.Path:
    """Where the driver would mount the share (os_brick.remotefs)."""
    digest = hashlib.md5(
        storage.share("volumes").encode(), usedforsecurity=False
    )
    return paths.state / "cinder" / "mnt" / digest.hexdigest()


def _fill(
    paths: lab_paths.Paths,
    cloud: connection.Connection,
    config: pathlib.Path,
) -> None:
    script = paths.run / "cinder.sql"
    script.write_text("CREATE DATABASE IF NOT EXISTS cinder;")
    mariadb.load(paths, script)
    command.run(
        [
            *(paths.bin("cinder-manage"), "--config-file", str(config)),
            *("db", "sync"),
        ],
        paths.log("cinder-manage"),
        timeout=_TIMEOUT,
    )
    url = f"http://{lab_paths.CONTROL_ADDRESS}:{_PORT}/v3"
    seed.seed(cloud, (("cinder", "volumev3", url),))


def _start(
    paths: lab_paths.Paths,
    directory: pathlib.Path,
    config: pathlib.Path,
    daemons: list[process.Daemon],
) -> None:
    place = [str(directory / "volumes"), str(_mount_point(paths))]
    for daemon in daemons:
        argv = [paths.bin(daemon.name), "--config-file", str(config)]
        if daemon.name == "cinder-volume":
            private = ["unshare", "--mount", "--propagation", "private"]
            argv = [*private, "sh", "-ec", _IN_PLACE, "-", *place, *argv]
        daemon.start(argv)


def _wait(cloud: connection.Connection, daemons: list[process.Daemon]) -> None:
    def all_report() -> bool:
        for daemon in daemons:
            daemon.check()
        if not readiness.answers(lab_paths.CONTROL_ADDRESS, _PORT):
            return False
        up = {
            s.binary for s in cloud.block_storage.services() if s.state == "up"
        }
        return up >= {"cinder-scheduler", "cinder-volume"}

    readiness.wait("Cinder", all_report, timeout=_TIMEOUT, interval=1)
