# SPDX-License-Identifier: Apache-2.0
"""How a checkpoint travels: the interface, and how one is chosen.

A transport is registered under the stevedore namespace below and named by
``[numa_migrate] transport``.
"""

from __future__ import annotations

import abc
from pathlib import Path

from stevedore import driver

NAMESPACE = 'nova_numa_migrate.checkpoint.transports'


class Transport(abc.ABC):
    """Brings a complete checkpoint file to another compute host."""

    @abc.abstractmethod
    def send(self, image: Path, host: str) -> None:
        """Copy the file to the same path of the host.

        The copy must be encrypted on the wire, must not be readable by
        others from its first byte, and must be complete when this returns.
        It keeps ``[numa_migrate] transfer_timeout``, and
        ``transfer_bandwidth_mib`` as far as it can.

        :param image: the checkpoint file on this host.
        :param host: the destination's address for such copies, its
            ``[libvirt] migration_inbound_addr``.
        :raises Exception: when the host does not have the whole file; the
            caller takes the guest up again on this host.
        """

    @abc.abstractmethod
    def withdraw(self, image: Path, host: str) -> None:
        """Remove what an unfinished or unwanted copy left on the host."""


def load(name: str) -> Transport:
    """The transport of that name.

    :raises stevedore.exception.NoMatches: when none is registered so.
    :raises TypeError: when what is registered is none.
    """
    manager: driver.DriverManager[Transport] = driver.DriverManager(
        NAMESPACE, name, invoke_on_load=True
    )
    loaded = manager.driver
    if not isinstance(loaded, Transport):
        raise TypeError(f'{loaded!r}, registered as "{name}", is no Transport')
    return loaded
