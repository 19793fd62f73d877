# SPDX-License-Identifier: Apache-2.0
"""The lab's network: one namespace with two bridges, each with a tap a host.

One bridge is the hosts' own network; the other joins their second interfaces,
which carry what the guests say to each other and to the outside. Control plane
and emulators all live in the namespace, so nothing of the lab listens on the
machine's own addresses.
"""

import collections.abc
import subprocess

import pyroute2
from pyroute2 import netns

from lab.frame import paths as lab_paths

BRIDGE, _OUTSIDE = 'br0', 'br1'


def create(paths: lab_paths.Paths) -> None:
    """Make the namespace with its bridge and taps, or complete it."""
    if paths.netns not in netns.listnetns():
        netns.create(paths.netns)
    with pyroute2.NetNS(paths.netns) as network:
        _set_up(network, 'lo')
        _add_bridge(network, BRIDGE, lab_paths.CONTROL_ADDRESS)
        _add_bridge(network, _OUTSIDE, lab_paths.OUTSIDE_ADDRESS)
        for number in lab_paths.HOST_NUMBERS:
            _add_tap(network, lab_paths.tap_name(number), BRIDGE)
            _add_tap(network, lab_paths.outside_tap_name(number), _OUTSIDE)


def enter(paths: lab_paths.Paths) -> None:
    """Move the calling thread, and what it starts, into the namespace."""
    netns.setns(paths.netns)


def isolate_hosts(isolated: bool) -> None:
    """Have the hosts hear this machine alone, or one another again.

    To be called in the namespace.

    :raises subprocess.CalledProcessError: the bridge does not do it
    """
    for number in lab_paths.HOST_NUMBERS:
        tap = lab_paths.tap_name(number)
        state = 'on' if isolated else 'off'
        subprocess.run(
            ['bridge', 'link', 'set', 'dev', tap, 'isolated', state],
            check=True,
        )


def remove(paths: lab_paths.Paths) -> None:
    """Take the namespace away, and with it every device in it."""
    if paths.netns in netns.listnetns():
        netns.remove(paths.netns)


def _add_bridge(network: pyroute2.NetNS, name: str, address: str) -> None:
    if _index(network, name) is None:
        network.link('add', ifname=name, kind='bridge')
        network.addr(
            'add',
            index=_index(network, name),
            address=address,
            prefixlen=lab_paths.NETWORK_PREFIX,
        )
    _set_up(network, name)


def _add_tap(network: pyroute2.NetNS, name: str, bridge: str) -> None:
    if _index(network, name) is None:
        network.link('add', ifname=name, kind='tuntap', mode='tap')
    network.link(
        'set',
        index=_index(network, name),
        master=_index(network, bridge),
        state='up',
    )


def _set_up(network: pyroute2.NetNS, name: str) -> None:
    network.link('set', index=_index(network, name), state='up')


def _index(network: pyroute2.NetNS, name: str) -> int | None:
    found: collections.abc.Sequence[int] = network.link_lookup(ifname=name)
    return found[0] if found else None
