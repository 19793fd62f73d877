# SPDX-License-Identifier: Apache-2.0
"""What is booked for a server: in Placement, in Nova's cell, on the hosts.

The databases are read where no API shows what is in them.
"""

import collections.abc
import contextlib
import dataclasses
import json

from openstack import connection
import sqlalchemy

from lab.control import mariadb
from lab.hosts import machine

_FINAL = ("confirmed", "reverted", "error", "done", "failed", "cancelled")
# $1 is the server's UUID, $2 its name in libvirt.
_READ = """
find /var/lib/nova -name "*$1*" -prune
virsh list --all --name | grep -Fx "$2"
true
"""


@dataclasses.dataclass(frozen=True)
class Books:
    """All that is booked, by host.

    :param allocations: resources by consumer
    :param pins: CPUs pinned on the host, as its audit reports them
    """

    allocations: dict[str, dict[str, dict[str, int]]]
    pins: dict[str, set[int]]


def read(cloud: connection.Connection) -> Books:
    """Read Placement's allocations and the hosts' reports."""
    placement = cloud.placement
    allocations = {}
    for provider in placement.get("/resource_providers").json()[
        "resource_providers"
    ]:
        path = f"/resource_providers/{provider['uuid']}/allocations"
        found = placement.get(path).json()["allocations"]
        allocations[provider["name"]] = {
            consumer: entry["resources"] for consumer, entry in found.items()
        }
    return Books(allocations, _pins())


def on_host(host: machine.Host, server: str, domain: str) -> list[str]:
    """Files and domains of a server on a host, one a line each."""
    found = host.shell.run(["sh", "-c", _READ, "read", server, domain], 60)
    return found.split()


def unfinished(server: str) -> list[str]:
    """What Nova's cell still holds of the server's moves."""
    with _cell() as cell:
        states = _column(
            cell,
            "SELECT status FROM migrations WHERE instance_uuid = :server",
            server,
        )
        move = _column(
            cell,
            "SELECT `value` FROM instance_system_metadata WHERE deleted = 0 "
            "AND `key` = 'numa_migrate' AND instance_uuid = :server",
            server,
        )
        context = _column(
            cell,
            "SELECT migration_context FROM instance_extra WHERE "
            "migration_context IS NOT NULL AND instance_uuid = :server",
            server,
        )
    return [
        *(f"migration {state}" for state in states if state not in _FINAL),
        *(f"move {text}" for text in move),
        *("migration context" for _ in context),
    ]


def _pins() -> dict[str, set[int]]:
    query = "SELECT host, numa_topology FROM compute_nodes WHERE deleted = 0"
    with _cell() as cell:
        reports = cell.execute(sqlalchemy.text(query)).all()
    return {str(host): _pinned(topology) for host, topology in reports}


def _pinned(topology: str) -> set[int]:
    cells = json.loads(topology)["nova_object.data"]["cells"]
    return {
        cpu
        for cell in cells
        for cpu in cell["nova_object.data"]["pinned_cpus"]
    }


def _column(cell: sqlalchemy.Connection, query: str, server: str) -> list[str]:
    found = cell.execute(sqlalchemy.text(query), {"server": server})
    return [str(row[0]) for row in found]


@contextlib.contextmanager
def _cell() -> collections.abc.Iterator[sqlalchemy.Connection]:
    # Each look is one of its own: nothing is kept open between them.
    engine = sqlalchemy.create_engine(
        mariadb.url("nova"), poolclass=sqlalchemy.NullPool
    )
    with engine.connect() as connection:
        yield connection
