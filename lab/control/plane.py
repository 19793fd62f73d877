# SPDX-License-Identifier: Apache-2.0
"""The control plane's parts in the order in which they need each other."""

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
    names, ``workers``. They need ``databases SERVICE`` and ``seed``, where
    those are among the tasks.
    """
    parts = {
        "mariadb": ("MariaDB", mariadb.start, ()),
        "rabbit": ("RabbitMQ", rabbit.start, ()),
        "workers": (
            "Nova's conductor and scheduler launched",
            workers.start,
            ("databases nova", "rabbit", "seed", "keystone", "placement"),
        ),
        **{
            api.name: (
                f"{api.name.capitalize()}'s API",
                api.start,
                (f"databases {api.name}", "mariadb", *needs),
            )
            for api, needs in _APIS.items()
        },
    }
    return {
        name: tasks.step(steps, what, functools.partial(run, paths), needs)
        for name, (what, run, needs) in parts.items()
    }


def fill(
    paths: lab_paths.Paths, steps: lab_steps.Steps
) -> dict[str, tasks.Task]:
    """Tasks that make the databases those of a new cloud."""
    graph = {
        f"databases {name}": tasks.step(
            steps,
            f"{name.capitalize()}'s databases",
            functools.partial(sync, paths),
            ("mariadb",),
        )
        for name, sync in _SYNCS.items()
    }
    graph["seed"] = tasks.step(
        steps,
        "users and endpoints",
        lambda: seed.seed(cloud.connect()),
        ("keystone",),
    )
    return graph


def load(
    paths: lab_paths.Paths, steps: lab_steps.Steps, dump: pathlib.Path
) -> dict[str, tasks.Task]:
    """Tasks that fill the databases from a dump of a complete cloud."""
    graph = {
        f"databases {name}": tasks.Task(lambda: None, ("load",))
        for name in _SYNCS
    }
    graph["load"] = tasks.step(
        steps,
        "databases loaded",
        functools.partial(mariadb.load, paths, dump),
        ("mariadb",),
    )
    return graph
