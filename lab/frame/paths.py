# SPDX-License-Identifier: Apache-2.0
"""Where everything of one checkout's lab is, and its fixed addresses.

All names that are global on the machine (network namespace, run-time
directory) carry a digest of the checkout's real path, so that the labs of
two checkouts never meet. Addresses may then be the same in both. This
module needs the standard library only: it is used before the virtual
environment exists.
"""

import dataclasses
import functools
import hashlib
import pathlib

NETWORK_PREFIX = 24
CONTROL_ADDRESS = '10.88.0.1'
# On the network of the guests, see guest/init.c.
OUTSIDE_ADDRESS = '10.89.0.1'
HOST_NUMBERS = (1, 2)
PORTS = {
    'keystone': 5000,
    'placement': 8778,
    'glance': 9292,
    'neutron': 9696,
    'nova': 8774,
    'mariadb': 3306,
    'rabbit': 5672,
}


def host_name(number: int) -> str:
    """Name of a compute host in Nova and on its console, as ``host1``."""
    return f'host{number}'


def host_address(number: int) -> str:
    """Address of a compute host on the lab's bridge."""
    return f'10.88.0.2{number}'


def tap_name(number: int) -> str:
    """Network device that a compute host's emulator opens."""
    return f'tap{number}'


def outside_tap_name(number: int) -> str:
    """The same for its second interface, which the guests' network uses."""
    return f'out{number}'


@dataclasses.dataclass(frozen=True)
class Paths:
    """Directories and names of the lab that belongs to one checkout."""

    root: pathlib.Path

    @functools.cached_property
    def name(self) -> str:
        """Machine-wide name of this lab, ``nnm-`` and eight hex digits."""
        digest = hashlib.sha1(
            str(self.root).encode(), usedforsecurity=False
        ).hexdigest()
        return f'nnm-{digest[:8]}'

    @property
    def netns(self) -> str:
        """Name of the network namespace (see ``ip netns``)."""
        return self.name

    @property
    def netns_file(self) -> pathlib.Path:
        """File that holds the network namespace, for ``nsenter --net``."""
        return pathlib.Path('/run/netns', self.netns)

    @property
    def run(self) -> pathlib.Path:
        """Sockets and pid records; short, for a socket path has 108 bytes."""
        return pathlib.Path('/run', self.name)

    @property
    def lab(self) -> pathlib.Path:
        """All that the lab keeps on disk; ``lab/down --wipe`` removes it."""
        return self.root / '.lab'

    @property
    def state(self) -> pathlib.Path:
        """Databases, configuration and disks of the running lab."""
        return self.lab / 'state'

    @property
    def etc(self) -> pathlib.Path:
        """Rendered configuration of the control plane."""
        return self.state / 'etc'

    @property
    def image(self) -> pathlib.Path:
        """Cached host image and guest files, each under its input's hash."""
        return self.lab / 'image'

    @property
    def snapshot(self) -> pathlib.Path:
        """What the next ``lab/up`` restores, beside the hosts' own disks."""
        return self.lab / 'snapshot'

    @property
    def logs(self) -> pathlib.Path:
        """Logs of all parts, one file or directory for each."""
        return self.lab / 'logs'

    @property
    def venv(self) -> pathlib.Path:
        """The checkout's virtual environment."""
        return self.root / '.venv'

    def bin(self, program: str) -> str:
        """Path of a program of the virtual environment."""
        return str(self.venv / 'bin' / program)

    def log(self, name: str) -> pathlib.Path:
        """Log file of the process or step with this name."""
        return self.logs / f'{name}.log'

    def make(self) -> None:
        """Create the directories that every part expects to exist."""
        for directory in (self.state, self.etc, self.image, self.logs):
            directory.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(mode=0o700, exist_ok=True)


def here() -> Paths:
    """Paths of the checkout that this module was imported from."""
    return Paths(pathlib.Path(__file__).resolve().parents[2])
