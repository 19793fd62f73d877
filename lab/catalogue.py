# SPDX-License-Identifier: Apache-2.0
"""The images and flavors that the lab's cloud offers.

The caller must be in the lab's network namespace.
"""

import pathlib
import typing

from openstack.image.v2 import image as sdk_image

from lab import cloud
from lab import guest

IMAGE = "guest"
# Name: MiB of memory, virtual CPUs, extra specs. As small as a guest can be
# whose pattern fills most of what its kernel leaves: so are its checkpoints.
_DEDICATED = {"hw:cpu_policy": "dedicated"}
# 2 MiB each, of which a host has none until a trial reserves some.
_HUGE = {"hw:mem_page_size": "large"}
# By its size a cell is found again in the memory of its emulator.
_UNEVEN = {
    "hw:numa_cpus.0": "0",
    "hw:numa_mem.0": "72",
    "hw:numa_cpus.1": "1",
    "hw:numa_mem.1": "56",
}
FLAVORS: dict[str, tuple[int, int, dict[str, str]]] = {
    "numa1": (96, 1, {"hw:numa_nodes": "1", **_DEDICATED}),
    "numa2": (128, 2, {"hw:numa_nodes": "2", **_UNEVEN, **_DEDICATED}),
    "shared1": (96, 1, {"hw:numa_nodes": "1"}),
    "shared2": (128, 2, {"hw:numa_nodes": "2", **_UNEVEN}),
    "even2": (128, 2, {"hw:numa_nodes": "2", **_DEDICATED}),
    "huge1": (96, 1, {"hw:numa_nodes": "1", **_DEDICATED, **_HUGE}),
    # Huge ones where a node has them, small ones where it does not.
    "any1": (
        96,
        1,
        {"hw:numa_nodes": "1", **_DEDICATED, "hw:mem_page_size": "any"},
    ),
    # Guests without a NUMA topology.
    "plain1": (96, 1, {}),
    "plain2": (128, 2, {}),
}


def upload_images(files: guest.GuestFiles) -> None:
    """Upload the guest's kernel, initramfs and disk, if not there yet.

    :param files: what the guest's build has made
    """
    upload_image(files, IMAGE)


def upload_image(
    files: guest.GuestFiles, name: str, **properties: str
) -> None:
    """Upload the guest's disk as another image, if not there yet.

    :param properties: what it has beside kernel and initramfs
    """
    kernel = _upload("guest-kernel", files.kernel, "aki", "aki")
    ramdisk = _upload("guest-initramfs", files.initramfs, "ari", "ari")
    _upload(
        name,
        files.disk,
        "bare",
        "raw",
        {
            "kernel_id": kernel.id,
            "ramdisk_id": ramdisk.id,
            "os_command_line": guest.COMMAND_LINE,
            **properties,
        },
    )


def create_flavors() -> None:
    """Create the flavors that are missing."""
    for name in FLAVORS:
        create_flavor(name, name)


def create_flavor(name: str, like: str, **sizes: int) -> None:
    """Create a flavor, if it is missing.

    :param like: name in ``FLAVORS`` of the one whose guest it has
    :param sizes: of its disks: ``ephemeral`` in GiB, ``swap`` in MiB
    """
    compute = cloud.connect().compute
    if compute.find_flavor(name) is None:
        ram, vcpus, specs = FLAVORS[like]
        flavor = compute.create_flavor(
            name=name, ram=ram, vcpus=vcpus, **{"disk": 1, **sizes}
        )
        if specs:
            compute.create_flavor_extra_specs(flavor, specs)


def _upload(
    name: str,
    path: pathlib.Path,
    container: str,
    disk: str,
    properties: dict[str, str] | None = None,
) -> sdk_image.Image:
    glance = cloud.connect().image
    found = glance.find_image(name) or glance.create_image(
        name,
        filename=str(path),
        container_format=container,
        disk_format=disk,
        wait=True,
        meta={"visibility": "public", **(properties or {})},
    )
    return typing.cast("sdk_image.Image", found)
