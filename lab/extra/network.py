# SPDX-License-Identifier: Apache-2.0
"""Neutron ports that carry traffic: Open vSwitch and its agents.

The switches run on the hosts. Their agents run beside the control plane, as
they do for hosts with a processor of their own in the network card, and reach
the switches over OVSDB and OpenFlow: on an emulated host they would take
minutes to start. The network is the one of the hosts' second interfaces,
where ``OUTSIDE_ADDRESS`` is the world.
"""

import collections.abc
import contextlib
import dataclasses
import ipaddress
import pathlib
import string

from openstack import connection

from lab.frame import paths as lab_paths
from lab.frame import process
from lab.frame import readiness
from lab.frame import steps as lab_steps
from lab.hosts import machine
from lab.hosts import settings

NAME = "outside"
_AGENT = "neutron-openvswitch-agent"
_RPC_SERVER = "neutron-rpc-server"
_TEMPLATE = pathlib.Path(__file__).with_name("openvswitch_agent.ini")
_AGENT_TIMEOUT = 120
# Run on a host: the switch, and a bridge to the second interface.
_START_SWITCH = """\
systemctl start openvswitch-switch
file=$(grep -l "$1" /sys/class/net/*/address)
device=$(basename "$(dirname "$file")")
ip link set "$device" up
ovs-vsctl set-manager ptcp:6640 \
    -- --may-exist add-br br-ex -- --may-exist add-port br-ex "$device"
"""
_STOP_SWITCH = """\
for bridge in $(ovs-vsctl list-br); do ovs-vsctl del-br "$bridge"; done
systemctl stop openvswitch-switch
"""


@contextlib.contextmanager
def running(
    cloud: connection.Connection,
    steps: lab_steps.Steps,
    hosts: collections.abc.Sequence[machine.Host],
) -> collections.abc.Iterator[None]:
    """The switches, their agents, and a network of the name ``NAME``.

    :raises LabError: a part does not come up
    """
    try:
        with steps("Open vSwitch and its agents"):
            for host in hosts:
                mac = settings.outside_mac_address(host.number)
                host.shell.run(["sh", "-ec", _START_SWITCH, "-", mac], 120)
            _start_agents(hosts)
            _wait_agents(cloud, hosts)
            _delete(cloud)
            _create(cloud)
        yield
    finally:
        _delete(cloud)
        for daemon in _daemons(hosts):
            daemon.stop()
        for host in hosts:
            host.shell.run(["sh", "-ec", _STOP_SWITCH], 60)


@dataclasses.dataclass(frozen=True)
class Port:
    """A port of that network.

    :param number: 2 to 254; the last byte of its addresses
    """

    cloud: connection.Connection
    number: int

    @property
    def name(self) -> str:
        """Its name in Neutron."""
        return f"port{self.number}"

    @property
    def address(self) -> str:
        """The address that a guest gives itself there, see guest/init.c."""
        return f"{lab_paths.OUTSIDE_ADDRESS.rpartition('.')[0]}.{self.number}"

    def create(self) -> None:
        """Make it; its network's end is its own."""
        network = self.cloud.network.find_network(NAME, ignore_missing=False)
        self.cloud.network.create_port(
            network_id=network.id,
            name=self.name,
            mac_address=f"fa:16:3e:10:89:{self.number:02x}",
            fixed_ips=[{"ip_address": self.address}],
        )

    def place(self) -> tuple[str, str]:
        """The host that it is bound to, and its status there."""
        port = self.cloud.network.find_port(self.name, ignore_missing=False)
        return port.binding_host_id, port.status

    def is_plugged(self, host: machine.Host) -> bool:
        """Whether that host's switch has it."""
        port = self.cloud.network.find_port(self.name, ignore_missing=False)
        there = host.shell.run(["ovs-vsctl", "list-ports", "br-int"], 30)
        return f"tap{port.id[:11]}" in there.split()


def _daemons(
    hosts: collections.abc.Sequence[machine.Host],
) -> list[process.Daemon]:
    paths = lab_paths.here()
    names = [_RPC_SERVER, *(_agent_name(host) for host in hosts)]
    return [process.Daemon(paths, name) for name in names]


def _agent_name(host: machine.Host) -> str:
    return f"{_AGENT}-{host.name}"


def _start_agents(hosts: collections.abc.Sequence[machine.Host]) -> None:
    paths = lab_paths.here()
    neutron = paths.etc / "neutron"
    common = ["--config-file", str(neutron / "neutron.conf")]
    ml2 = str(neutron / "plugins" / "ml2" / "ml2_conf.ini")
    server, *agents = _daemons(hosts)
    server.start([paths.bin(_RPC_SERVER), *common, "--config-file", ml2])
    for host, agent in zip(hosts, agents, strict=True):
        own = neutron / f"{agent.name}.ini"
        own.write_text(_agent_config(paths, host))
        agent.start([paths.bin(_AGENT), *common, "--config-file", str(own)])


def _agent_config(paths: lab_paths.Paths, host: machine.Host) -> str:
    return string.Template(_TEMPLATE.read_text()).substitute(
        host=host.name,
        host_address=lab_paths.host_address(host.number),
        address=lab_paths.CONTROL_ADDRESS,
        openflow_port=6650 + host.number,
        helper=paths.bin("privsep-helper"),
    )


def _wait_agents(
    cloud: connection.Connection,
    hosts: collections.abc.Sequence[machine.Host],
) -> None:
    names = {host.name for host in hosts}

    def alive() -> bool:
        for daemon in _daemons(hosts):
            daemon.check()
        agents = cloud.network.agents(binary=_AGENT)
        return {a.host for a in agents if a.is_alive} >= names

    readiness.wait(
        "Open vSwitch agents", alive, timeout=_AGENT_TIMEOUT, interval=1
    )


def _create(cloud: connection.Connection) -> None:
    network = cloud.network.create_network(
        name=NAME,
        provider_network_type="flat",
        provider_physical_network="outside",
    )
    end = f"{lab_paths.OUTSIDE_ADDRESS}/{lab_paths.NETWORK_PREFIX}"
    cloud.network.create_subnet(
        network_id=network.id,
        ip_version=4,
        cidr=str(ipaddress.ip_interface(end).network),
        gateway_ip=None,
        is_dhcp_enabled=False,
    )


def _delete(cloud: connection.Connection) -> None:
    network = cloud.network.find_network(NAME)
    if network is None:
        return
    for port in cloud.network.ports(network_id=network.id):
        cloud.network.delete_port(port)
    cloud.network.delete_network(network)
