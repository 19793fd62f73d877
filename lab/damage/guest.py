# SPDX-License-Identifier: Apache-2.0
"""The guest of the matrix: made when needed, used as long as it is whole."""

import datetime
import typing

from openstack import connection

from lab import catalogue
from lab import cloud as lab_cloud
from lab.frame import errors
from lab.frame import paths as lab_paths
from lab.frame import readiness
from lab.hosts import machine
from lab.proof import servers
from lab.proof import ticks as lab_ticks
from lab.proof import watch as lab_watch

NAME = "matrix"
_FLAVOR = "numa1"
_NODE = "1"
_BOOT_TIMEOUT = 120.0
_SERVICE_TIMEOUT = 120.0
# A server that is in error may still be on its way out of it.
_SETTLED = ("ACTIVE", "SHUTOFF", "VERIFY_RESIZE")
_ERROR_SECONDS = 60.0


class Guest:
    """One server and what it says.

    :param host: name of the host that it is made on; any if empty
    :param nodes: NUMA nodes that it is made on, as in the hint
    """

    def __init__(
        self,
        cloud: connection.Connection,
        watch: lab_watch.Watch,
        name: str = NAME,
        flavor: str = _FLAVOR,
        host: str = "",
        nodes: str = "",
    ) -> None:
        self._cloud = cloud
        self._watch = watch
        self.name = name
        servers.remove(cloud, [name])
        # A service of Nova's that is just starting gives up each guest that
        # it finds in the making.
        lab_cloud.wait_services(
            lab_paths.here(),
            datetime.datetime.now(datetime.UTC),
            _SERVICE_TIMEOUT,
        )
        cloud.compute.create_server(
            name=name,
            flavor_id=cloud.compute.find_flavor(
                flavor, ignore_missing=False
            ).id,
            image_id=cloud.image.find_image(
                catalogue.IMAGE, ignore_missing=False
            ).id,
            networks="none",
            **({"host": host} if host else {}),
            **({"scheduler_hints": {"numa_node": nodes}} if nodes else {}),
        )
        self.server = servers.Server(cloud, name)
        self.server.wait("ACTIVE", _BOOT_TIMEOUT)
        self.uuid = self.server.uuid
        self.domain = self.server.domain
        self.counting()

    def show(self) -> dict[str, typing.Any]:
        """The server as the API shows it."""
        return self.server.show()

    @property
    def host(self) -> str:
        """Name of the host where it is."""
        return str(self.show()["OS-EXT-SRV-ATTR:host"])

    def action(self, **body: object) -> None:
        """Ask for an action of Nova's.

        :raises LabError: it was refused
        """
        answer = self._cloud.compute.post(
            f"/servers/{self.uuid}/action", json=body
        )
        if answer.status_code >= 400:
            raise errors.LabError(f"{[*body]}: {answer.text}")

    def pins(self) -> set[int]:
        """The host CPUs that it has for itself."""
        cells = self.server.cells()
        return {cpu for cell in cells for cpu in cell.pinning.values()}

    def migrate(self, host: machine.Host, nodes: str = _NODE) -> None:
        """Ask for the move onto nodes of a host, as the hint names them."""
        hints = {"numa_node": nodes}
        self.action(migrate={"host": host.name, "os:scheduler_hints": hints})

    def ticks(self, since: float) -> tuple[lab_ticks.Tick, ...]:
        """What it said after a moment of this machine's clock."""
        return tuple(
            t for t in self._watch.heard(self.uuid) if t.heard > since
        )

    def counting(self, since: float = 0.0, passes: int = 1) -> lab_ticks.Tick:
        """Wait until it has verified its pattern so often.

        :param since: only what it says after this moment counts
        :raises LabError: it does not
        """
        return self._watch.wait_tick(
            self.uuid,
            f"{self.name} counting",
            lambda tick: tick.heard > since and tick.passes >= passes,
            _BOOT_TIMEOUT,
        )

    def settle(self, timeout: float, but: str = "") -> str:
        """Wait until nothing is done to it any more.

        :param but: a status which it is on its way out of
        :returns: its status
        :raises LabError: something still is
        """
        status = ""
        calm = 0.0

        def check() -> bool:
            nonlocal status, calm
            shown = self.show()
            status = str(shown["status"])
            busy = shown["OS-EXT-STS:task_state"] is not None
            calm = 0.0 if busy else calm + _INTERVAL
            return (
                not busy
                and (status in _SETTLED or calm > _ERROR_SECONDS)
                and status != but
            )

        readiness.wait(
            f"{self.name} settled", check, timeout=timeout, interval=_INTERVAL
        )
        return status

    def running_on(self, hosts: tuple[machine.Host, ...]) -> list[str]:
        """Names of the hosts whose libvirt runs it."""
        return [
            host.name
            for host in hosts
            if self.domain
            in host.shell.run(["virsh", "list", "--name"], 60).split()
        ]


_INTERVAL = 0.5
