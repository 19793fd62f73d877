# SPDX-License-Identifier: Apache-2.0
"""What is booked for a server: in Placement, in Nova's cell, on the hosts.

The databases are read where no API shows what is in them.
"""

import collections.abc
import contextlib
import dataclasses
import json
import typing

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


@dataclasses.dataclass(frozen=True)
class Use:
    """What is in use of a host node, as the host's audit reports it.

    :param pins: CPUs that guests have for themselves
    :param mib: memory of guests
    """

    pins: frozenset[int]
    mib: int


def read(cloud: connection.Connection) -> Books:
    """Read Placement's allocations and the hosts' reports."""
    reported = used()
    pins = {
        host: set[int]().union(*(use.pins for use in nodes.values()))
        for host, nodes in reported.items()
    }
    return Books(_allocations(cloud), pins)


def used() -> dict[str, dict[int, Use]]:
    """What is in use of each node of each host."""
    return {
        host: {
            node["id"]: Use(
                frozenset(node["pinned_cpus"]), node["memory_usage"]
            )
            for node in nodes
        }
        for host, nodes in _reports().items()
    }


def huge_pages(host: str, kib: int) -> tuple[int, ...]:
    """How many pages of a size each node of a host has, used or not."""
    return tuple(
        sum(
            pool["nova_object.data"]["total"]
            for pool in node["mempages"]
            if pool["nova_object.data"]["size_kb"] == kib
        )
        for node in _reports()[host]
    )


def _allocations(
    cloud: connection.Connection,
) -> dict[str, dict[str, dict[str, int]]]:
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
    return allocations


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


def _reports() -> dict[str, list[dict[str, typing.Any]]]:
    """The nodes of each host, as the hosts report them."""
    query = "SELECT host, numa_topology FROM compute_nodes WHERE deleted = 0"
    with _cell() as cell:
        reports = cell.execute(sqlalchemy.text(query)).all()
    return {
        str(host): [
            cell["nova_object.data"]
            for cell in json.loads(topology)["nova_object.data"]["cells"]
        ]
        for host, topology in reports
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
