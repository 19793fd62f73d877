# SPDX-License-Identifier: Apache-2.0
"""What a compute host's disk holds beside the packages.

The files of ``overlay`` go to the same place on the host. The two hosts
have one disk image: what tells them apart (name, machine id, address) comes
from their emulator's command line.
"""

import pathlib
import shutil
import string
import subprocess

from lab.frame import identity
from lab.frame import paths as lab_paths
from lab.hosts import topology

_HERE = pathlib.Path(__file__).parent
_OVERLAY = _HERE / "overlay"
_HOST_KEY = "etc/ssh/ssh_host_ed25519_key"


def mac_address(number: int) -> str:
    """Hardware address of a host, by which it finds its own address."""
    return f"52:54:00:10:88:{number:02x}"


def outside_mac_address(number: int) -> str:
    """The same of its second interface, which has no address."""
    return f"52:54:00:10:89:{number:02x}"


def write(tree: pathlib.Path, key: pathlib.Path) -> None:
    """Write every file of the host into a directory tree.

    :param tree: empty directory
    :param key: private key by which the control machine logs in as root;
        made when it is missing
    """
    for source in sorted(_OVERLAY.rglob("*")):
        if source.is_file():
            _copy(source, tree / source.relative_to(_OVERLAY))
    for number in lab_paths.HOST_NUMBERS:
        _write_network(tree, number)
    (tree / "etc/hosts").write_text(_hosts_file())
    _write_keys(tree, key)


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.name == "nova.conf":
        target.write_text(_nova_conf(source.read_text()))
    else:
        shutil.copyfile(source, target)


def _nova_conf(template: str) -> str:
    return string.Template(template).substitute(
        transport_url=identity.transport_url(),
        credentials=identity.credentials("nova"),
        shared_cpus=topology.shared_cpus(),
        dedicated_cpus=topology.dedicated_cpus(),
    )


def _write_network(tree: pathlib.Path, number: int) -> None:
    name = lab_paths.host_name(number)
    text = string.Template((_HERE / "host.network").read_text()).substitute(
        mac=mac_address(number),
        address=lab_paths.host_address(number),
        prefix=lab_paths.NETWORK_PREFIX,
        gateway=lab_paths.CONTROL_ADDRESS,
    )
    target = tree / "etc/systemd/network" / f"{name}.network"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def _hosts_file() -> str:
    lines = ["127.0.0.1 localhost", f"{lab_paths.CONTROL_ADDRESS} control"]
    lines += [
        f"{lab_paths.host_address(n)} {lab_paths.host_name(n)}"
        for n in lab_paths.HOST_NUMBERS
    ]
    return "\n".join(lines) + "\n"


def _write_keys(tree: pathlib.Path, key: pathlib.Path) -> None:
    host_key = tree / _HOST_KEY
    nova_key = tree / "var/lib/nova/.ssh/id_ed25519"
    root_keys = tree / "root/.ssh/authorized_keys"
    for path in (key, host_key, nova_key):
        _make_key(path)
    root_keys.parent.mkdir(parents=True)
    shutil.copyfile(_public(key), root_keys)
    shutil.copyfile(_public(nova_key), nova_key.parent / "authorized_keys")
    known = known_hosts(_public(host_key).read_text())
    for directory in (key.parent, nova_key.parent):
        (directory / "known_hosts").write_text(known)


def known_hosts(public_key: str) -> str:
    """One line that vouches for both hosts by their names and addresses."""
    names = [
        name
        for n in lab_paths.HOST_NUMBERS
        for name in (lab_paths.host_name(n), lab_paths.host_address(n))
    ]
    return f"{','.join(names)} {public_key}"


def _public(key: pathlib.Path) -> pathlib.Path:
    return key.with_name(key.name + ".pub")


def _make_key(path: pathlib.Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)],
        check=True,
    )
