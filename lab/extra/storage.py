# SPDX-License-Identifier: Apache-2.0
"""Storage that both hosts share: an NFS server beside the control plane.

It is the one in user space, since not every machine's kernel has one.
"""

import collections.abc
import contextlib
import datetime
import pathlib
import shutil
import string

from lab import cloud as lab_cloud
from lab.frame import command
from lab.frame import paths as lab_paths
from lab.frame import process
from lab.frame import readiness
from lab.frame import steps as lab_steps
from lab.hosts import deploy
from lab.hosts import machine
from lab.proof import watch as lab_watch

_DAEMON = "nfs-server"
_TEMPLATE = pathlib.Path(__file__).with_name("ganesha.conf")
_PORT = 2049
_SERVICE_TIMEOUT = 300
# Nova's own end of a service has minutes of grace.
_STOP = """\
systemctl kill --signal=KILL "$1"
systemctl stop "$1"
"""
_MOUNT = f"""\
{_STOP}
mount -t nfs -o vers=4.1 "$2" "$3"
chown nova: "$3"
systemctl start "$1"
"""
_UNMOUNT = f"""\
{_STOP}
umount "$2"
systemctl start "$1"
"""


def install() -> None:
    """Install what it needs, from where packages can be had.

    :raises LabError: they cannot
    """
    paths = lab_paths.here()
    command.run(
        [str(paths.root / "lab" / "bootstrap"), "storage"],
        paths.log("bootstrap-storage"),
        timeout=300,
    )


@contextlib.contextmanager
def exported(steps: lab_steps.Steps) -> collections.abc.Iterator[pathlib.Path]:
    """An NFS server with a directory to share, which it yields.

    :raises LabError: it does not come up
    """
    paths = lab_paths.here()
    directory = paths.state / "nfs"
    daemon = process.Daemon(paths, _DAEMON)
    try:
        with steps("NFS server"):
            _start(paths, directory, daemon)
        yield directory
    finally:
        daemon.stop()
        shutil.rmtree(directory, ignore_errors=True)


def share(name: str) -> str:
    """What hosts mount of a directory in the one that is shared."""
    return f"{lab_paths.CONTROL_ADDRESS}:/lab/{name}"


@contextlib.contextmanager
def shared_instances(
    directory: pathlib.Path,
    steps: lab_steps.Steps,
    watch: lab_watch.Watch,
    hosts: collections.abc.Sequence[machine.Host],
) -> collections.abc.Iterator[None]:
    """Both hosts have one directory of instances, and are heard there.

    :param directory: the one that ``exported`` yields
    :raises LabError: a host does not do it
    """
    (directory / "instances").mkdir()
    mounted: list[machine.Host] = []
    try:
        with steps("instances on NFS"):
            for host in hosts:
                source = (deploy.SERVICE, share("instances"))
                _restart(host, _MOUNT, *source, lab_watch.INSTANCES)
                mounted.append(host)
            _wait()
        for host in hosts:
            watch.resume(host, shared=True)
        yield
    finally:
        with steps("instances on the hosts' own disks"):
            for host in mounted:
                watch.pause(host)
                _restart(host, _UNMOUNT, deploy.SERVICE, lab_watch.INSTANCES)
            _wait()


def _start(
    paths: lab_paths.Paths, directory: pathlib.Path, daemon: process.Daemon
) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config = paths.etc / "ganesha.conf"
    config.write_text(
        string.Template(_TEMPLATE.read_text()).substitute(
            address=lab_paths.CONTROL_ADDRESS,
            port=_PORT,
            directory=directory,
        )
    )
    daemon.start(
        [
            *("ganesha.nfsd", "-F", "-f", str(config)),
            *("-L", "/dev/stdout", "-p", str(paths.run / "ganesha.pid")),
        ]
    )
    readiness.wait(
        "NFS server",
        lambda: readiness.listens(lab_paths.CONTROL_ADDRESS, _PORT),
        timeout=30,
        daemon=daemon,
    )


def _restart(host: machine.Host, script: str, *arguments: str) -> None:
    host.shell.run(["sh", "-ec", script, "-", *arguments], 120)


def _wait() -> None:
    since = datetime.datetime.now(datetime.UTC)
    lab_cloud.wait_services(lab_paths.here(), since, _SERVICE_TIMEOUT)
