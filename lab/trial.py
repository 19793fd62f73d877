# SPDX-License-Identifier: Apache-2.0
"""A first guest on a new host, and away again.

It shows that the host can run one. It also leaves the host as one that has
been at work for a while, which is what the snapshot should hold: the images
are in Nova's cache and the privileged helpers run, each of which takes an
emulated host many seconds.
"""

from lab import catalogue
from lab import cloud
from lab.hosts import machine
from lab.proof import servers

_FLAVOR = "shared1"


def run(host: machine.Host) -> None:
    """Boot a guest on the host and delete it.

    The caller must be in the lab's network namespace.

    :raises LabError: the host cannot run a guest
    """
    name = f"trial-{host.name}"
    servers.must(
        servers.openstack(
            *("server", "create", "--flavor", _FLAVOR),
            *("--image", catalogue.IMAGE, "--nic", "none", "--wait"),
            *("--host", host.name, name),
        )
    )
    servers.remove(cloud.connect(), [name])
