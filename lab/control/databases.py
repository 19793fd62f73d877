# SPDX-License-Identifier: Apache-2.0
"""Bring each service's database to its schema and first contents.

The functions touch different databases, so they may run at the same time.
"""

from lab.control import mariadb
from lab.frame import command
from lab.frame import identity
from lab.frame import paths as lab_paths

# Pure Python that shares two processors with the hosts' first boot.
_TIMEOUT = 400


def keystone(paths: lab_paths.Paths) -> None:
    """Schema, token and credential keys, and the first administrator."""
    for arguments in (
        ["db_sync"],
        ["fernet_setup", *_owner("keystone")],
        ["credential_setup", *_owner("keystone")],
        ["bootstrap", *_bootstrap()],
    ):
        _manage(
            paths,
            "keystone",
            [
                paths.bin("keystone-manage"),
                "--config-file",
                str(paths.etc / "keystone" / "keystone.conf"),
                *arguments,
            ],
        )


def placement(paths: lab_paths.Paths) -> None:
    """Placement's schema."""
    _manage(
        paths,
        "placement",
        [
            paths.bin("placement-manage"),
            "--config-file",
            str(paths.etc / "placement" / "placement.conf"),
            "db",
            "sync",
        ],
    )


def glance(paths: lab_paths.Paths) -> None:
    """Glance's schema."""
    _manage(
        paths,
        "glance",
        [
            paths.bin("glance-manage"),
            "--config-file",
            str(paths.etc / "glance" / "glance-api.conf"),
            "db_sync",
        ],
    )


def neutron(paths: lab_paths.Paths) -> None:
    """Neutron's schema."""
    _manage(
        paths,
        "neutron",
        [
            paths.bin("neutron-db-manage"),
            "--config-file",
            str(paths.etc / "neutron" / "neutron.conf"),
            "--config-file",
            str(paths.etc / "neutron" / "plugins" / "ml2" / "ml2_conf.ini"),
            "upgrade",
            "heads",
        ],
    )


def nova(paths: lab_paths.Paths) -> None:
    """Nova's schemas and its one cell."""
    cell0 = ["--database_connection", mariadb.url("nova_cell0")]
    for arguments in (
        ["api_db", "sync"],
        ["cell_v2", "map_cell0", *cell0],
        ["db", "sync"],
        ["cell_v2", "create_cell", "--name", "cell1"],
    ):
        _nova_manage(paths, arguments)


def discover_hosts(paths: lab_paths.Paths) -> None:
    """Map the compute services that have reported to Nova's cell."""
    _nova_manage(paths, ["cell_v2", "discover_hosts", "--by-service"])


def _nova_manage(paths: lab_paths.Paths, arguments: list[str]) -> None:
    config = str(paths.etc / "nova" / "nova.conf")
    program = paths.bin("nova-manage")
    _manage(paths, "nova", [program, "--config-file", config, *arguments])


def _manage(paths: lab_paths.Paths, service: str, argv: list[str]) -> None:
    command.run(argv, paths.log(f"{service}-manage"), timeout=_TIMEOUT)


def _owner(service: str) -> list[str]:
    return [f"--{service}-user", "root", f"--{service}-group", "root"]


def _bootstrap() -> list[str]:
    url = identity.auth_url()
    return [
        "--bootstrap-password",
        identity.ADMIN_PASSWORD,
        "--bootstrap-admin-url",
        url,
        "--bootstrap-internal-url",
        url,
        "--bootstrap-public-url",
        url,
        "--bootstrap-region-id",
        identity.REGION,
    ]
