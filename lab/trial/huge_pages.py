# SPDX-License-Identifier: Apache-2.0
"""Huge pages on the hosts, for as long as a trial needs them."""

import collections.abc
import contextlib

from lab.damage import books
from lab.frame import readiness
from lab.hosts import deploy
from lab.hosts import machine
from lab.proof import moves

#: Pages of 2 MiB by node. A guest of the lab needs 48: node 0 is short.
PAGES = (24, 56, 56, 56)
_KIB = 2048
_REPORT_TIMEOUT = 60.0
# Arguments are the service, the size, and the pages of each node. Nova asks
# for them when it starts, which takes long.
_SET = """set -e
service=$1; kib=$2; shift 2
node=0; changed=
for pages; do
    pool=/sys/devices/system/node/node$node/hugepages/hugepages-${kib}kB
    if test "$(cat $pool/nr_hugepages)" != "$pages"; then
        echo "$pages" >$pool/nr_hugepages
        test "$(cat $pool/nr_hugepages)" = "$pages"
        changed=yes
    fi
    node=$((node + 1))
done
if test -n "$changed"; then
    # Nova's own end of a service has minutes of grace.
    systemctl kill --signal=KILL "$service"
    systemctl restart libvirtd "$service"
fi
"""


@contextlib.contextmanager
def reserved(
    stage: moves.Stage, hosts: collections.abc.Sequence[machine.Host]
) -> collections.abc.Iterator[None]:
    """While in it the hosts have huge pages, and Nova knows them."""
    try:
        _set(stage, hosts, PAGES)
        yield
    finally:
        _set(stage, hosts, (0,) * len(PAGES))


def _set(
    stage: moves.Stage,
    hosts: collections.abc.Sequence[machine.Host],
    pages: tuple[int, ...],
) -> None:
    words = [deploy.SERVICE, str(_KIB), *map(str, pages)]
    with stage.steps(f"huge pages on the nodes of the hosts: {pages}"):
        for host in hosts:
            host.shell.run(["sh", "-c", _SET, "set", *words], 120)
        readiness.wait(
            "reports of huge pages",
            lambda: all(
                books.huge_pages(host.name, _KIB) == pages for host in hosts
            ),
            timeout=_REPORT_TIMEOUT,
            interval=1.0,
        )
