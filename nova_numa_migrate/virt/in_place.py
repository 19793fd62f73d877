# SPDX-License-Identifier: Apache-2.0
"""A guest that changes its nodes and stays on its host.

Its disks stay where and as they are, on the way and on the way back: what it
wrote on its new nodes is kept by a revert, and its state is saved anew then.
"""

from __future__ import annotations

from typing import Any

from nova.virt import driver as virt_driver


def migrate(
    driver: Any,
    context: Any,
    instance: Any,
    network_info: Any,
    block_device_info: Any,
    timeout: int,
    retry_interval: int,
) -> str:
    """What Nova's ``migrate_disk_and_power_off`` does, but for the disks.

    Nova would copy each of them to where it is already.

    :param driver: the libvirt driver.
    :returns: the description of the disks that moved: none.
    """
    driver.power_off(instance, timeout, retry_interval)
    driver.unplug_vifs(instance, network_info)
    for volume in virt_driver.block_device_info_get_mapping(block_device_info):
        driver._disconnect_volume(context, volume['connection_info'], instance)
    return '[]'
