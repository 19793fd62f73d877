# SPDX-License-Identifier: Apache-2.0
"""Have the hosts audited often, so that a row need not wait a minute."""

from lab.hosts import deploy
from lab.hosts import machine

SECONDS = 20
_FILE = f"/etc/default/{deploy.SERVICE}"
# oslo.config takes options from the environment, too.
_INTERVAL = "OS_DEFAULT__UPDATE_RESOURCES_INTERVAL"
# Nova tells of an audit's end where nobody listens, else.
_LEVELS = "OS_DEFAULT__DEFAULT_LOG_LEVELS"
_TOLD = "nova.compute.resource_tracker=DEBUG"
# $1 is the file, $2 the service; then come its lines, of which one without a
# value must not be there.
SET = """set -e
file=$1; service=$2; shift 2
cp "$file" "$file.new"
for line; do
    name=${line%%=*}
    grep -qFx "$line" "$file.new" && continue
    sed -i "/^$name=/d" "$file.new"
    test "$line" = "$name=" || echo "$line" >>"$file.new"
done
if cmp -s "$file" "$file.new"; then
    rm "$file.new"
else
    mv "$file.new" "$file"
    # Nova's own end of it has minutes of grace.
    systemctl kill --signal=KILL "$service" || true
    systemctl restart "$service"
fi
"""


def often(
    host: machine.Host, seconds: int = SECONDS, *, told: bool = False
) -> None:
    """Set it, and start the service anew unless it was set already.

    :param seconds: from one audit to the next
    :param told: whether the service's log tells of each
    """
    lines = [f"{_INTERVAL}={seconds}", f"{_LEVELS}={_TOLD if told else ''}"]
    words = ["set", _FILE, deploy.SERVICE, *lines]
    host.shell.run(["sh", "-c", SET, *words], 60)
