# SPDX-License-Identifier: Apache-2.0
"""Servers of the demonstration, and what the cloud says of them.

All that changes anything goes through the ``openstack`` command, as a user
would do it; questions go through the SDK, which does not take seconds to
start. The caller must be in the lab's network namespace.
"""

import collections.abc
import dataclasses
import os
import shlex
import subprocess
import time
import typing

from openstack import connection

from lab.frame import errors
from lab.frame import identity
from lab.frame import paths as lab_paths
from lab.frame import patience
from lab.frame import readiness
from lab.proof import memory

# The first in which a server's topology can be asked for.
_TOPOLOGY_VERSION = "2.78"


@dataclasses.dataclass(frozen=True)
class Answer:
    """How a command ended.

    :param text: what it printed, both streams
    :param seconds: how long it took
    """

    words: tuple[str, ...]
    status: int
    text: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class Cell:
    """A guest cell as Nova accounts for it.

    :param mib: its memory
    :param node: the host node that is claimed for it
    :param pinning: the host CPU that each of its virtual CPUs has claimed
    :param page_kib: the size of the pages that are claimed
    """

    mib: int
    node: int
    pinning: dict[int, int]
    page_kib: int = memory.PAGE_KIB


def openstack(*words: str, timeout: float = 300) -> Answer:
    """Run the ``openstack`` command as the administrator.

    :raises LabError: it took too long
    """
    timeout = patience.limit(timeout)
    began = time.monotonic()
    try:
        result = subprocess.run(
            [lab_paths.here().bin("openstack"), *words],
            env={
                **os.environ,
                **identity.client_environment(),
                "PYTHONWARNINGS": "ignore",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise errors.LabError(
            f"openstack {shlex.join(words)}: no end after {timeout:.0f} s"
        ) from error
    seconds = time.monotonic() - began
    return Answer(words, result.returncode, result.stdout.strip(), seconds)


def must(answer: Answer) -> Answer:
    """The answer of a command that had to succeed.

    :raises LabError: it did not
    """
    if answer.status:
        raise errors.LabError(
            f"openstack {shlex.join(answer.words)}: {answer.text}"
        )
    return answer


class Server:
    """One server, asked for by its name.

    :param cloud: the cloud, as its administrator
    """

    def __init__(self, cloud: connection.Connection, name: str) -> None:
        self._compute = cloud.compute
        self.name = name
        found = self._compute.find_server(
            name, ignore_missing=False, all_projects=True
        )
        self.uuid: str = found.id

    def show(self) -> dict[str, typing.Any]:
        """The server as the API shows it."""
        answer = self._compute.get(f"/servers/{self.uuid}")
        server: dict[str, typing.Any] = answer.json()["server"]
        return server

    @property
    def domain(self) -> str:
        """Its name in libvirt."""
        return str(self.show()["OS-EXT-SRV-ATTR:instance_name"])

    def cells(self) -> list[Cell]:
        """Its guest cells as Nova has claimed them."""
        answer = self._compute.get(
            f"/servers/{self.uuid}/topology", microversion=_TOPOLOGY_VERSION
        )
        shown = answer.json()
        return [
            Cell(
                page_kib=shown["pagesize_kb"] or memory.PAGE_KIB,
                mib=int(node["memory_mb"]),
                node=int(node["host_node"]),
                pinning={
                    int(vcpu): int(cpu)
                    for vcpu, cpu in node["cpu_pinning"].items()
                },
            )
            for node in shown["nodes"]
        ]

    def wait(self, status: str, timeout: float) -> None:
        """Wait until it has a status and no task.

        :raises LabError: it has not, or is in error
        """

        def check() -> bool:
            shown = self.show()
            task = shown["OS-EXT-STS:task_state"]
            if shown["status"] == "ERROR" and task is None:
                fault = shown.get("fault", {}).get("message", "no fault")
                raise errors.LabError(f"{self.name} is in ERROR: {fault}")
            return bool(shown["status"] == status and task is None)

        readiness.wait(
            f"{self.name} {status}", check, timeout=timeout, interval=0.5
        )


def remove(
    cloud: connection.Connection, names: collections.abc.Iterable[str]
) -> None:
    """Delete the servers that there are of these names, and wait.

    :raises LabError: one does not go
    """
    compute = cloud.compute
    there = [s for s in compute.servers() if s.name in set(names)]
    for server in there:
        compute.delete_server(server)
    for server in there:
        compute.wait_for_delete(server, interval=0.5, wait=patience.limit(120))
