# SPDX-License-Identifier: Apache-2.0
"""Run commands on a compute host over ssh."""

import collections.abc
import dataclasses
import pathlib
import shlex
import subprocess

from lab.frame import errors
from lab.frame import paths as lab_paths
from lab.frame import patience


@dataclasses.dataclass(frozen=True)
class Shell:
    """Root's account on one host.

    The first command opens a connection that the later ones share: a
    handshake takes an emulated host a second. To be used inside the lab's
    network namespace.

    :param number: the host's number
    :param key: private key that opens the account
    """

    paths: lab_paths.Paths
    number: int
    key: pathlib.Path

    @property
    def _socket(self) -> pathlib.Path:
        return self.paths.run / f"ssh{self.number}"

    def argv(
        self, command: collections.abc.Sequence[str], *, shared: bool = True
    ) -> list[str]:
        """The ssh command line that runs a command on the host.

        :param shared: whether it may use the common connection
        """
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "30",
            "ServerAliveInterval": "5",
            "ServerAliveCountMax": "24",
            "UserKnownHostsFile": str(self.key.parent / "known_hosts"),
            "LogLevel": "ERROR",
        }
        if shared:
            options["ControlMaster"] = "auto"
            options["ControlPath"] = str(self._socket)
            options["ControlPersist"] = "60"
        return [
            *("ssh", "-F", "none", "-i", str(self.key)),
            *(f"-o{name}={value}" for name, value in options.items()),
            f"root@{lab_paths.host_address(self.number)}",
            *map(shlex.quote, command),
        ]

    def try_run(
        self,
        command: collections.abc.Sequence[str],
        timeout: float,
        stdin: bytes | None = None,
    ) -> subprocess.CompletedProcess[bytes] | None:
        """Run a command; None when it took too long.

        :param timeout: seconds on a quiet machine, with the time to connect
        :param stdin: what the command reads
        """
        try:
            return subprocess.run(
                self.argv(command),
                input=stdin if stdin is not None else b"",
                capture_output=True,
                timeout=patience.limit(timeout),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None

    def run(
        self,
        command: collections.abc.Sequence[str],
        timeout: float,
        stdin: bytes | None = None,
    ) -> str:
        """Run a command that must succeed, and return what it printed.

        :raises LabError: it failed or took too long
        """
        result = self.try_run(command, timeout, stdin)
        what = f"{lab_paths.host_name(self.number)}: {shlex.join(command)}"
        if result is None:
            raise errors.LabError(
                f"{what}: no end after {patience.limit(timeout):.0f} s"
            )
        if result.returncode:
            reason = result.stderr.decode(errors="replace").strip()
            raise errors.LabError(f"{what}: {reason or result.returncode}")
        return result.stdout.decode(errors="replace")

    def close(self) -> None:
        """End the common connection, if there is one."""
        if self._socket.exists():
            subprocess.run(
                [*self.argv([])[:-1], "-O", "exit", "none"],
                capture_output=True,
                timeout=10,
                check=False,
            )
