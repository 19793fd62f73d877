# SPDX-License-Identifier: Apache-2.0
"""Nothing of a move is left when it is over: waited for, then named."""

import collections.abc

from openstack import connection

from lab.damage import books as lab_books
from lab.damage import guest as lab_guest
from lab.frame import errors
from lab.frame import readiness
from lab.hosts import machine

# Nova's audits come every few seconds on the lab's hosts, see audit.
_TIMEOUT = 9.0


class Leftovers:
    """What is on the hosts and in the books, before and after a move.

    :param guest: not on its way anywhere yet
    """

    def __init__(
        self,
        cloud: connection.Connection,
        guest: lab_guest.Guest,
        hosts: collections.abc.Sequence[machine.Host],
    ) -> None:
        self._cloud = cloud
        self._guest = guest
        self._hosts = hosts
        self._before = lab_books.read(cloud)
        here = guest.host
        self._booked = self._before.allocations[here].pop(guest.uuid)
        self._before.pins[here] -= guest.pins()

    def find(self) -> list[str]:
        """Wait until nothing is left of the guest's move, and name what is.

        What others had before is theirs.
        """
        left: list[str] = []

        def check() -> bool:
            left[:] = [*self._on_hosts(), *self._booked_too_much()]
            left.extend(lab_books.unfinished(self._guest.uuid))
            return not left

        try:
            readiness.wait(
                "nothing left", check, timeout=_TIMEOUT, interval=2.0
            )
        except errors.LabError:
            return left
        return []

    def _on_hosts(self) -> collections.abc.Iterator[str]:
        guest, here = self._guest, self._guest.host
        own = {f"/var/lib/nova/instances/{guest.uuid}", guest.domain}
        for host in self._hosts:
            found = lab_books.on_host(host, guest.uuid, guest.domain)
            wanted = own if host.name == here else set()
            for what in set(found) - wanted:
                yield f"{host.name}: {what}"
            for what in wanted - set(found):
                yield f"{host.name}: {what} is missing"

    def _booked_too_much(self) -> collections.abc.Iterator[str]:
        guest, here = self._guest, self._guest.host
        books = lab_books.read(self._cloud)
        for name, pins in books.pins.items():
            own = guest.pins() if name == here else set()
            if pins != self._before.pins[name] | own:
                yield f"{name}: CPUs {sorted(pins)} pinned"
        for name, consumers in books.allocations.items():
            booked = {guest.uuid: self._booked} if name == here else {}
            if consumers != self._before.allocations[name] | booked:
                yield f"{name}: allocations {consumers}"
