# SPDX-License-Identifier: Apache-2.0
"""Instances on storage that both hosts share."""

from lab.extra import storage
from lab.proof import moves
from lab.proof import servers
from lab.proof import watch as lab_watch
from lab.trial import disks

_NAME = "shared"


def run(stage: moves.Stage) -> None:
    """On NFS a revert takes disks and state back to the same instant."""
    servers.remove(stage.cloud, [_NAME])
    hosts = (stage.source, stage.destination)
    with (
        storage.exported(stage.steps) as directory,
        storage.shared_instances(directory, stage.steps, stage.watch, hosts),
    ):
        for host in hosts:
            mount = host.shell.run(["findmnt", "-T", lab_watch.INSTANCES], 30)
            stage.verdict.claim(
                storage.share("instances") in mount,
                f"the instances of {host.name} are shared: {mount}",
            )
        guest = moves.Guest(stage, moves.Plan(_NAME, "numa1", "1", (1,)))
        try:
            _there_and_back(stage, guest)
        finally:
            servers.remove(stage.cloud, [_NAME])


def _there_and_back(stage: moves.Stage, guest: moves.Guest) -> None:
    guest.boot()
    guest.go()
    # In this the guest runs on, and writes to its disk.
    guest.prove()
    guest.revert()
    last = guest.stop()
    disks.claim_whole(stage.source, guest.server.uuid, last, stage.verdict)
