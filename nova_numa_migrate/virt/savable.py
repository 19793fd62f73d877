# SPDX-License-Identifier: Apache-2.0
"""Whether a guest that is on this host can be saved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nova.compute import power_state

from nova_numa_migrate.guest_xml.blockers import blockers


def blockers_of(
    driver: Any, instance: Any, volumes: Iterable[str]
) -> list[str]:
    """Every reason why not; empty when it can be saved.

    :param driver: the libvirt driver.
    :param volumes: the devices that are volumes, as Nova tells them, such as
        ``/dev/vdb``.
    :raises nova.exception.InstanceNotFound: when the guest is not here.
    """
    guest = driver._host.get_guest(instance)
    targets = {device.rpartition('/')[2] for device in volumes}
    found = blockers(guest.get_xml_desc(), targets)
    state = int(guest.get_power_state(driver._host))
    if state != power_state.RUNNING:
        found.insert(0, f'it is {power_state.STATE_MAP[state]}, not running')
    return found
