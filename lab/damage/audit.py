# SPDX-License-Identifier: Apache-2.0
"""Have the hosts audited often, so that a row need not wait a minute."""

from lab.hosts import deploy
from lab.hosts import machine

_FILE = f"/etc/default/{deploy.SERVICE}"
# oslo.config takes options from the environment, too.
_LINE = "OS_DEFAULT__UPDATE_RESOURCES_INTERVAL=20"
# $1 is the file, $2 the line, $3 the service.
_ADD = 'grep -qFx "$2" "$1" || { echo "$2" >>"$1"; systemctl restart "$3"; }'


def often(host: machine.Host) -> None:
    """Set it, and start the service anew unless it was set already."""
    host.shell.run(["sh", "-c", _ADD, "add", _FILE, _LINE, deploy.SERVICE], 60)
