# SPDX-License-Identifier: Apache-2.0
"""The control machine's hand on a host: what a saboteur is told there."""

import collections.abc
import json
import pathlib
import subprocess
import threading

from lab.damage import table
from lab.frame import errors
from lab.frame import patience
from lab.hosts import machine
from lab.proof import watch as lab_watch

_SABOTEUR = pathlib.Path(__file__).with_name("saboteur.py")


class Hand:
    """One saboteur on a host, to be told what to break, and when."""

    def __init__(self, host: machine.Host) -> None:
        self._host = host
        self._said: list[dict[str, object]] = []
        self._changed = threading.Condition()
        python = ["python3", "-u", "-c", _SABOTEUR.read_text()]
        self._process = subprocess.Popen(
            host.shell.argv([*python, lab_watch.CHECKPOINTS], shared=False),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(
            target=self._listen, name=f"hand-{host.name}", daemon=True
        ).start()
        self._wait("ready", lambda said: bool(said.get("ready")))

    def close(self) -> None:
        """Take it away."""
        self._process.kill()
        self._process.wait()

    def arm(self, server: str, step: table.Step, do: str, to: str) -> None:
        """Have something done in the moment of a server's move.

        :param do: one of the saboteur's deeds
        :param to: what it is done to
        """
        self._order({"server": server, "moment": step, "do": do, "to": to})
        self._wait("armed", lambda said: said.get("armed") == step)

    def strike(self, do: str, to: str) -> None:
        """Have something done at once."""
        self._order({"do": do, "to": to})
        self.wait_done(do)

    def wait_done(self, do: str) -> None:
        """Wait until it says that it was done.

        :raises LabError: it was not, or the hand is gone
        """
        self._wait(f"“{do}” done", lambda said: said.get("done") == do)

    def has_done(self, do: str, within: float) -> bool:
        """Whether it is done within some seconds; then it is forgotten.

        :raises LabError: the hand is gone
        """
        self._check()
        return self._hear(lambda said: said.get("done") == do, within)

    def _order(self, order: dict[str, str]) -> None:
        if self._process.stdin is None:
            raise errors.LabError("a saboteur without orders")
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _wait(
        self,
        what: str,
        wanted: collections.abc.Callable[[dict[str, object]], bool],
    ) -> None:
        limit = patience.limit(30)
        if not self._hear(wanted, limit):
            self._check()
            raise errors.LabError(
                f"{self._host.name}: {what}: not within {limit:.0f} s"
            )

    def _hear(
        self,
        wanted: collections.abc.Callable[[dict[str, object]], bool],
        within: float,
    ) -> bool:
        """Wait for what it says; what was heard is forgotten."""
        with self._changed:
            self._changed.wait_for(
                lambda: any(map(wanted, self._said)) or self._ended(), within
            )
            found = [said for said in self._said if wanted(said)]
            self._said = [said for said in self._said if said not in found]
        return bool(found)

    def _ended(self) -> bool:
        return self._process.poll() is not None

    def _check(self) -> None:
        if self._ended():
            raise errors.LabError(f"{self._host.name}: the saboteur has ended")

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            with self._changed:
                self._said.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()
