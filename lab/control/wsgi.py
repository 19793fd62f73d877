# SPDX-License-Identifier: Apache-2.0
"""The API services under gunicorn, one worker with threads for each."""

import dataclasses

from lab.frame import paths as lab_paths
from lab.frame import process
from lab.frame import readiness

# Nova and Neutron read sys.argv: gunicorn's own arguments must not be there
# when they are imported, so all of them come from this file. Connections are
# kept for longer than any client lets one idle: the answer to a request that
# met the end of its connection would be an error, as a broken service's.
_GUNICORN = """\
import sys

sys.argv = sys.argv[:1]
wsgi_app = "{module}:application"
bind = "{address}:{port}"
worker_class = "gthread"
workers = 1
threads = 8
timeout = 300
keepalive = 300
control_socket_disable = True


def post_worker_init(worker):
    # Neutron's queries for ports name relationships that exist only once
    # all mappers are configured, which another query would have to do.
    import sqlalchemy.orm

    sqlalchemy.orm.configure_mappers()
"""


@dataclasses.dataclass(frozen=True)
class Api:
    """One API service.

    :param name: the service, as in the list of ports
    :param module: Python module that holds the WSGI application
    """

    name: str
    module: str

    @property
    def port(self) -> int:
        """Where it listens."""
        return lab_paths.PORTS[self.name]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{lab_paths.CONTROL_ADDRESS}:{self.port}"

    @property
    def daemon_name(self) -> str:
        """Under what name it runs and logs."""
        return f"{self.name}-api"

    def start(self, paths: lab_paths.Paths) -> None:
        """Start it and wait until the application answers."""
        daemon = process.Daemon(paths, self.daemon_name)
        config = paths.etc / self.name / "gunicorn.py"
        config.write_text(
            _GUNICORN.format(
                module=self.module,
                address=lab_paths.CONTROL_ADDRESS,
                port=self.port,
            )
        )
        directory = f"OS_{self.name.upper()}_CONFIG_DIR"
        daemon.start(
            [paths.bin("gunicorn")],
            {
                "GUNICORN_CMD_ARGS": f"--config {config}",
                directory: str(paths.etc / self.name),
            },
        )
        readiness.wait(
            f"{self.name}'s API",
            lambda: readiness.answers(lab_paths.CONTROL_ADDRESS, self.port),
            timeout=120,
            daemon=daemon,
        )


KEYSTONE = Api("keystone", "keystone.wsgi.api")
PLACEMENT = Api("placement", "placement.wsgi.api")
GLANCE = Api("glance", "glance.wsgi.api")
NEUTRON = Api("neutron", "neutron.wsgi.api")
NOVA = Api("nova", "nova.wsgi.osapi_compute")
