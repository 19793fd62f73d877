# SPDX-License-Identifier: Apache-2.0
"""A guest with every kind of local disk that Nova makes."""

from lab import catalogue
from lab import guest as lab_guest
from lab.frame import paths as lab_paths
from lab.proof import moves
from lab.proof import servers

_NAME = "drives"


def run(stage: moves.Stage) -> None:
    """Config drive, swap and ephemeral disk come along as they were."""
    catalogue.create_flavor(_NAME, "numa1", ephemeral=1, swap=16)
    catalogue.upload_image(
        lab_guest.files(lab_paths.here()),
        _NAME,
        # The guest has no driver for the IDE that it would be by default.
        hw_cdrom_bus="scsi",
        hw_scsi_model="virtio-scsi",
    )
    servers.remove(stage.cloud, [_NAME])
    plan = moves.Plan(
        *(_NAME, _NAME, "1", (1,)),
        options=(
            *("--image", _NAME, "--nic", "none"),
            *("--config-drive", "True"),
        ),
        drives=("vdb", "vdc", "sr0"),
    )
    guest = moves.Guest(stage, plan)
    try:
        guest.boot()
        guest.go()
        guest.prove()
        guest.revert()
    finally:
        servers.remove(stage.cloud, [_NAME])
