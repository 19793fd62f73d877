# SPDX-License-Identifier: Apache-2.0
"""Guests with volumes of Cinder's."""

from lab import catalogue
from lab.extra import storage
from lab.extra import volumes
from lab.proof import moves
from lab.proof import servers
from lab.trial import disks

_NAME = "volume"
_DATA = "volume-data"


def run(stage: moves.Stage) -> None:
    """Disk file and volume are one after a move, and after a revert."""
    servers.remove(stage.cloud, [_NAME])
    with (
        storage.exported(stage.steps) as directory,
        volumes.running(stage.cloud, directory, stage.steps),
    ):
        volumes.create(stage.cloud, _DATA)
        plan = moves.Plan(
            *(_NAME, "numa1", "1", (1,)),
            options=(
                *("--image", catalogue.IMAGE, "--nic", "none"),
                # The device's name is the guest's to choose.
                *("--block-device", _attached(stage, _DATA)),
            ),
            drives=("vdb",),
        )
        guest = moves.Guest(stage, plan)
        try:
            _there_and_back(stage, guest)
        finally:
            servers.remove(stage.cloud, [_NAME])
            volumes.remove(stage.cloud, _DATA)


def _attached(stage: moves.Stage, name: str) -> str:
    volume = stage.cloud.block_storage.find_volume(name, ignore_missing=False)
    return (
        f"uuid={volume.id},source_type=volume,destination_type=volume,"
        "boot_index=-1"
    )


def _there_and_back(stage: moves.Stage, guest: moves.Guest) -> None:
    guest.boot()
    guest.go()
    # In this the guest runs on, and writes to its disk and its volume.
    guest.prove()
    guest.revert(as_it_is=True)
    last = guest.stop()
    disks.claim_whole(stage.source, guest.server.uuid, last, stage.verdict)
