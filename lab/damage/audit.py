# SPDX-License-Identifier: Apache-2.0
"""Have the hosts audited often, so that a row need not wait a minute."""

from lab.hosts import deploy
from lab.hosts import machine

SECONDS = 20
_FILE = f"/etc/default/{deploy.SERVICE}"
# oslo.config takes options from the environment, too.
_NAME = "OS_DEFAULT__UPDATE_RESOURCES_INTERVAL"
# $1 is the file, $2 the option, $3 its value, $4 the service.
_SET = """
grep -qFx "$2=$3" "$1" && exit
sed -i "/^$2=/d" "$1" && echo "$2=$3" >>"$1" && systemctl restart "$4"
"""


def often(host: machine.Host, seconds: int = SECONDS) -> None:
    """Set it, and start the service anew unless it was set already.

    :param seconds: from one audit to the next
    """
    words = ["set", _FILE, _NAME, str(seconds), deploy.SERVICE]
    host.shell.run(["sh", "-c", _SET, *words], 60)
