# SPDX-License-Identifier: Apache-2.0
"""The control plane's parts in the order in which they need each other."""

import collections.abc
import functools
import pathlib

from lab import cloud
from lab.control import databases
from lab.control import mariadb
from lab.control import rabbit
from lab.control import seed
from lab.control import workers
from lab.control import wsgi
from lab.frame import paths as lab_paths
from lab.frame import steps as lab_steps
from lab.frame import tasks

_SYNCS = {
    "glance": databases.glance,
    "keystone": databases.keystone,
    "neutron": databases.neutron,
    "nova": databases.nova,
    "placement": databases.placement,
}
# By what a service's start has to be preceded, beside its own database.
_APIS = {
    wsgi.KEYSTONE: (),
    wsgi.PLACEMENT: (),
    wsgi.GLANCE: (),
    wsgi.NEUTRON: ("rabbit",),
    wsgi.NOVA: ("rabbit",),
}


def start(
    paths: lab_paths.Paths, steps: lab_steps.Steps
) -> dict[str, tasks.Task]:
    """Tasks that start every part; parts that run already are left alone.

    The names to depend on: ``mariadb``, ``rabbit``, the five services'
    names, ``workers``.
    """
    graph = {
        "mariadb": _step(paths, steps, "MariaDB", mariadb.start),
        "rabbit": _step(paths, steps, "RabbitMQ", rabbit.start),
        "workers": _step(
            paths,
            steps,
            "Nova conductor and scheduler started",
            workers.start,
            ("databases nova", "rabbit", "seed", "placement"),
        ),
    }
    for api, needs in _APIS.items():
        graph[api.name] = _step(
            paths,
            steps,
            f"{api.name.capitalize()} API",
            api.start,
            (f"databases {api.name}", "mariadb", *needs),
        )
    return graph


def fill(
    paths: lab_paths.Paths, steps: lab_steps.Steps
) -> dict[str, tasks.Task]:
    """Tasks that bring new databases to the state of a new cloud."""
    graph = {
        f"databases {name}": _step(
            paths,
            steps,
            f"database of {name.capitalize()}",
            sync,
            ("mariadb",),
        )
        for name, sync in _SYNCS.items()
    }
    graph["seed"] = _step(
        paths,
        steps,
        "users and endpoints",
        lambda _: seed.seed(cloud.connect()),
        ("keystone",),
    )
    return graph


def restore(
    paths: lab_paths.Paths, steps: lab_steps.Steps, dump: pathlib.Path
) -> dict[str, tasks.Task]:
    """Tasks that fill the databases from a dump of a complete cloud."""
    load = functools.partial(mariadb.load, source=dump)
    return {
        name: task
        for name, task in {
            "load": _step(
                paths, steps, "databases loaded", load, ("mariadb",)
            ),
            **{
                f"databases {name}": tasks.Task(lambda: None, ("load",))
                for name in _SYNCS
            },
        }.items()
    }


def _step(
    paths: lab_paths.Paths,
    steps: lab_steps.Steps,
    what: str,
    function: collections.abc.Callable[[lab_paths.Paths], object],
    needs: tuple[str, ...] = (),
) -> tasks.Task:
    def run() -> None:
        with steps(what):
            function(paths)

    return tasks.Task(run, needs)
