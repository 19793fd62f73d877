# SPDX-License-Identifier: Apache-2.0
"""Hear both hosts: every line of the guests, every change of a checkpoint.

The agents on the hosts only pass on what happens; it is this machine's
clock that says when, one clock for both hosts.
"""

import collections.abc
import dataclasses
import json
import pathlib
import subprocess
import threading
import time

from lab.frame import errors
from lab.frame import patience
from lab.hosts import machine
from lab.proof import ticks

INSTANCES = "/var/lib/nova/instances"
CHECKPOINTS = "/var/lib/nova/numa_migrate"
Wanted = collections.abc.Callable[[ticks.Tick], bool]
_AGENT = pathlib.Path(__file__).with_name("agent.py")


@dataclasses.dataclass(frozen=True)
class FileEvent:
    """Something that happened in a checkpoint directory.

    :param name: the file's, or the directory's own
    :param mode: permissions just after the event; None when it was gone
    """

    host: str
    name: str
    event: str
    mode: int | None
    size: int


class Watch:
    """All that is heard of both hosts while it is open."""

    def __init__(self, hosts: collections.abc.Sequence[machine.Host]) -> None:
        self._hosts = hosts
        self._changed = threading.Condition()
        self._ticks: dict[str, list[ticks.Tick]] = {}
        self._files: list[FileEvent] = []
        self._ready: set[str] = set()
        self._agents: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> "Watch":
        for host in self._hosts:
            self._start(host)
        for host in self._hosts:
            self._wait_ready(host)
        return self

    def __exit__(self, *_: object) -> None:
        for agent in self._agents.values():
            _end(agent)

    def pause(self, host: machine.Host) -> None:
        """Hear nothing of a host, where nothing of its files is open then."""
        _end(self._agents[host.name])
        self._ready.discard(host.name)

    def resume(self, host: machine.Host, *, shared: bool = False) -> None:
        """Hear a host again that was without power, or got other storage.

        What its consoles hold already was heard before.

        :param shared: whether both hosts have one directory of instances
        :raises LabError: it cannot be heard
        """
        self.pause(host)
        options = ["--from-end", *(["--shared"] if shared else [])]
        self._start(host, *options)
        self._wait_ready(host)

    def heard(self, server: str) -> list[ticks.Tick]:
        """Ticks of a server so far, in the order in which they came."""
        with self._changed:
            return list(self._ticks.get(server, ()))

    def last_tick(self, server: str, host: str) -> ticks.Tick:
        """The latest tick of a server that came from a host.

        :raises LabError: it has never counted there
        """
        there = [tick for tick in self.heard(server) if tick.host == host]
        if not there:
            raise errors.LabError(f"{server} has never counted on {host}")
        return there[-1]

    def files(self) -> list[FileEvent]:
        """Events of the checkpoint directories so far."""
        with self._changed:
            return list(self._files)

    def wait_tick(
        self,
        server: str,
        what: str,
        wanted: Wanted,
        timeout: float,
    ) -> ticks.Tick:
        """Wait for a tick; one that has come already counts.

        :param what: what is waited for, for the error
        :raises LabError: none came
        """
        found: list[ticks.Tick] = []

        def check() -> bool:
            found[:] = filter(wanted, self._ticks.get(server, ()))
            return bool(found)

        self._wait(what, check, timeout)
        return found[0]

    def _wait(
        self,
        what: str,
        check: collections.abc.Callable[[], bool],
        timeout: float,
    ) -> None:
        timeout = patience.limit(timeout)
        with self._changed:
            if not self._changed.wait_for(check, timeout):
                raise errors.LabError(f"{what}: not within {timeout:.0f} s")

    def _wait_ready(self, host: machine.Host) -> None:
        self._wait(
            f"agent on {host.name}", lambda: host.name in self._ready, 60
        )

    def _start(self, host: machine.Host, *options: str) -> None:
        python = ["python3", "-u", "-c", _AGENT.read_text()]
        agent = subprocess.Popen(
            host.shell.argv(
                [*python, INSTANCES, CHECKPOINTS, *options], shared=False
            ),
            # Its end is the agent's.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._agents[host.name] = agent
        threading.Thread(
            target=self._listen,
            args=(host.name, agent),
            name=f"watch-{host.name}",
            daemon=True,
        ).start()

    def _listen(self, host: str, agent: subprocess.Popen[str]) -> None:
        for line in agent.stdout or ():
            heard = time.monotonic()
            told = json.loads(line)
            with self._changed:
                self._take(host, heard, told)
                self._changed.notify_all()

    def _take(self, host: str, heard: float, told: dict[str, str]) -> None:
        if "line" in told:
            tick = ticks.parse(told["line"], host, heard)
            if tick is not None:
                self._ticks.setdefault(told["server"], []).append(tick)
        elif "path" in told:
            mode = told.get("mode")
            self._files.append(
                FileEvent(
                    host=host,
                    name=told["path"],
                    event=told["event"],
                    mode=None if mode is None else int(mode),
                    size=int(told.get("size", 0)),
                )
            )
        else:
            self._ready.add(host)


def _end(agent: subprocess.Popen[str]) -> None:
    agent.kill()
    agent.wait()
