# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ, started by hand, with the port mapper that Erlang wants.

The mapper would outlive the broker if the broker started it, so it is a
daemon of its own here.
"""

from lab.frame import paths as lab_paths
from lab.frame import process
from lab.frame import readiness

_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_EPMD_PORT = 4369
#: The broker alone: it can be stopped and started again.
DAEMON = "rabbit"


def start(paths: lab_paths.Paths) -> None:
    """Start the port mapper and the broker, and wait for both."""
    mapper = process.Daemon(paths, "epmd")
    mapper.start(["epmd"])
    readiness.wait(
        "Erlang's port mapper",
        lambda: readiness.listens("127.0.0.1", _EPMD_PORT),
        timeout=20,
        daemon=mapper,
    )
    broker = process.Daemon(paths, DAEMON)
    broker.start(["eatmydata", _SERVER], _environment(paths))
    readiness.wait(
        "RabbitMQ",
        lambda: readiness.listens(
            lab_paths.CONTROL_ADDRESS, lab_paths.PORTS["rabbit"]
        ),
        timeout=120,
        daemon=broker,
    )


def _environment(paths: lab_paths.Paths) -> dict[str, str]:
    home = paths.state / "rabbit"
    home.mkdir(exist_ok=True)
    etc = paths.etc / "rabbit"
    plugins = etc / "enabled_plugins"
    plugins.write_text("[].\n")
    return {
        "HOME": str(home),
        "RABBITMQ_NODENAME": "rabbit@localhost",
        "RABBITMQ_CONFIG_FILE": str(etc / "rabbitmq"),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(paths.logs),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        # The distribution's own file asks for the user rabbitmq.
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2",
    }
