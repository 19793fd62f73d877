# SPDX-License-Identifier: Apache-2.0
"""What the hosts' compute services write into their logs meanwhile."""

import collections.abc
import subprocess
import threading
import time

from lab.frame import readiness
from lab.hosts import machine

_FILE = "/var/log/nova/compute.log"
# Nova's resource tracker writes it at the end of each audit, see
# damage.audit.
_AUDITED = "Final resource view"
_BAD = (" ERROR ", " CRITICAL ", "Traceback")
# Fewer seconds than a service needs to start.
_HEARD_TIMEOUT = 30.0


class Logs:
    """Reads the logs of both hosts while it is open."""

    def __init__(self, hosts: collections.abc.Sequence[machine.Host]) -> None:
        self._hosts = hosts
        self._lock = threading.Lock()
        self._lines: list[tuple[float, str, str]] = []
        self._tails: list[subprocess.Popen[str]] = []

    def __enter__(self) -> "Logs":
        for host in self._hosts:
            self._follow(host)
        readiness.wait(
            "logs of both hosts",
            lambda: (
                {h for _, h, _ in self._told()}
                == {h.name for h in self._hosts}
            ),
            timeout=_HEARD_TIMEOUT,
        )
        return self

    def __exit__(self, *_: object) -> None:
        for tail in self._tails:
            tail.kill()
            tail.wait()

    def audits(self, host: str) -> list[float]:
        """When the audits of a host ended, by time.time()."""
        return [
            heard
            for heard, name, line in self._told()
            if name == host and _AUDITED in line
        ]

    def bad(self) -> list[str]:
        """Lines that tell of an error, each after the host's name."""
        return [
            f"{name}: {line}"
            for _, name, line in self._told()
            if any(word in line for word in _BAD)
        ]

    def _told(self) -> list[tuple[float, str, str]]:
        with self._lock:
            return list(self._lines)

    def _follow(self, host: machine.Host) -> None:
        command = ["tail", "--lines=0", "--follow=name", _FILE]
        tail = subprocess.Popen(
            host.shell.argv(command, shared=False),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._tails.append(tail)
        threading.Thread(
            target=self._listen, args=(host.name, tail), daemon=True
        ).start()

    def _listen(self, host: str, tail: subprocess.Popen[str]) -> None:
        for line in tail.stdout or ():
            with self._lock:
                self._lines.append((time.time(), host, line.rstrip("\n")))
