# SPDX-License-Identifier: Apache-2.0
"""MariaDB, started by hand on a data directory of the lab's own.

Nothing is flushed to the disk (``eatmydata``), which takes most of the time
of creating some hundred tables: after a crash of the machine the lab is
restored from its snapshot, not from these files.
"""

import pathlib
import subprocess

from lab.frame import command
from lab.frame import errors
from lab.frame import paths as lab_paths
from lab.frame import patience
from lab.frame import process
from lab.frame import readiness

DATABASES = (
    "glance",
    "keystone",
    "neutron",
    "nova",
    "nova_api",
    "nova_cell0",
    "placement",
)
_PASSWORD = "root"  # noqa: S105
_PORT = lab_paths.PORTS["mariadb"]


def url(database: str) -> str:
    """Address of a database as SQLAlchemy takes it."""
    host = f"{lab_paths.CONTROL_ADDRESS}:{_PORT}"
    return f"mysql+pymysql://root:{_PASSWORD}@{host}/{database}?charset=utf8"


def start(paths: lab_paths.Paths) -> None:
    """Start the server; make its data directory and databases if needed."""
    daemon = process.Daemon(paths, "mariadb")
    new = not (_data(paths) / "mysql").is_dir()
    if new:
        _install(paths)
    daemon.start(_argv(paths))
    readiness.wait(
        "MariaDB",
        lambda: readiness.listens(lab_paths.CONTROL_ADDRESS, _PORT),
        timeout=60,
        daemon=daemon,
    )
    if new:
        _create_databases(paths)


def dump(paths: lab_paths.Paths, target: pathlib.Path) -> None:
    """Write all the cloud's databases to an SQL file."""
    argv = ["mariadb-dump", *_login(paths), "--databases", *DATABASES]
    with target.open("wb") as out:
        result = subprocess.run(
            argv,
            stdout=out,
            stderr=subprocess.PIPE,
            timeout=patience.limit(120),
            check=False,
        )
    if result.returncode:
        raise errors.LabError(
            f"mariadb-dump: {result.stderr.decode(errors='replace')}"
        )


def load(paths: lab_paths.Paths, source: pathlib.Path) -> None:
    """Make the databases what an SQL file says."""
    with source.open("rb") as file:
        command.run(
            ["mariadb", *_login(paths)],
            paths.log("mariadb-load"),
            timeout=120,
            stdin=file.fileno(),
        )


def _data(paths: lab_paths.Paths) -> pathlib.Path:
    return paths.state / "mysql"


def _login(paths: lab_paths.Paths) -> list[str]:
    return ["--no-defaults", "--user=root", f"--socket={_socket(paths)}"]


def _socket(paths: lab_paths.Paths) -> pathlib.Path:
    return paths.run / "mysql.sock"


def _install(paths: lab_paths.Paths) -> None:
    command.run(
        [
            "eatmydata",
            "mariadb-install-db",
            "--no-defaults",
            "--user=root",
            f"--datadir={_data(paths)}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--innodb-log-file-size=16M",
        ],
        paths.log("mariadb-install"),
        timeout=120,
    )


def _argv(paths: lab_paths.Paths) -> list[str]:
    return [
        "eatmydata",
        "mariadbd",
        "--no-defaults",
        "--user=root",
        f"--datadir={_data(paths)}",
        f"--socket={_socket(paths)}",
        f"--pid-file={paths.run / 'mysqld.pid'}",
        f"--bind-address={lab_paths.CONTROL_ADDRESS}",
        f"--port={_PORT}",
        "--innodb-log-file-size=16M",
        "--max-connections=500",
        "--character-set-server=utf8mb3",
        "--skip-name-resolve",
    ]


def _create_databases(paths: lab_paths.Paths) -> None:
    script = paths.run / "create.sql"
    lines = [
        f"CREATE DATABASE {name} CHARACTER SET utf8mb3;" for name in DATABASES
    ]
    lines.append(f"CREATE USER root@'%' IDENTIFIED BY '{_PASSWORD}';")
    lines.append("GRANT ALL ON *.* TO root@'%';")
    script.write_text("\n".join(lines))
    load(paths, script)
