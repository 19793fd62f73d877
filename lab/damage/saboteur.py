# SPDX-License-Identifier: Apache-2.0
"""Runs on a compute host: breaks something in the very moment.

Sent there as text and run by the host's own Python, so it needs nothing
but the standard library. Orders come on standard input, one JSON object a
line: ``{"server": UUID, "moment": NAME, "do": NAME, "to": WHAT}``. Without
``moment`` it is done at once. ``do`` is one of

``kill``
    end the process ``to``;
``crash``
    end the emulator of the domain ``to``, as soon as there is one;
``fill``
    leave no byte free around the file ``to``;
``flip``
    make one byte in the middle of the file ``to`` another;
``cut``
    take the second half of the file ``to`` away;
``tell``
    nothing.

One JSON object a line says on standard output what was done. The moments
are those of ``lab.damage.table.Step``, read from what the plugin writes
before each step; the kernel queues the events, so none is missed.
"""

import ctypes
import errno
import json
import os
import pathlib
import select
import signal
import struct
import sys
import time

_MODIFY, _DELETE, _MOVED_TO = 0x2, 0x200, 0x80
_EVENT = struct.Struct("iIII")
# The save is under way, and far from its end: a guest has 80 times as much.
_BEGUN = 1 << 20
_EMULATORS = pathlib.Path("/run/libvirt/qemu")
_CHUNK = 1 << 30


def moment(directory: pathlib.Path, mask: int, name: str) -> str | None:
    """Which moment of a move an event in the directory is, if it is one.

    :param directory: that of the plugin's checkpoints
    """
    path = directory / name
    try:
        if path.suffix == ".save" and mask & _MODIFY:
            return "saving" if path.stat().st_size >= _BEGUN else None
        if path.suffix == ".json" and mask & _MOVED_TO:
            return str(json.loads(path.read_text())["step"])
    except FileNotFoundError:
        return None
    if path.suffix == ".json" and mask & _DELETE:
        return "restored"
    return None


def kill(process: str) -> None:
    """End a process."""
    os.kill(int(process), signal.SIGKILL)


def crash(domain: str) -> None:
    """End a domain's emulator, for which it waits."""
    file = _EMULATORS / f"{domain}.pid"
    while True:
        text = file.read_text() if file.exists() else ""
        if text.strip():
            kill(text)
            return
        time.sleep(0.005)


def fill(file: str) -> None:
    """Take all the room that the file system has."""
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY, 0o600)
    size, chunk = 0, _CHUNK
    while chunk:
        try:
            os.posix_fallocate(descriptor, size, chunk)
            size += chunk
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            chunk //= 2
    os.close(descriptor)


def flip(file: str) -> None:
    """Make one byte another, far from where a file says what it is."""
    descriptor = os.open(file, os.O_RDWR)
    middle = os.fstat(descriptor).st_size // 2
    [byte] = os.pread(descriptor, 1, middle)
    os.pwrite(descriptor, bytes([byte ^ 1]), middle)
    os.close(descriptor)


def cut(file: str) -> None:
    """Leave the first half of a file."""
    os.truncate(file, os.stat(file).st_size // 2)


def tell(_: str) -> None:
    """Only be heard."""


_DO = {act.__name__: act for act in (kill, crash, fill, flip, cut, tell)}


class Saboteur:
    """Waits for its moments.

    :param directory: that of the plugin's checkpoints
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._queue = self._libc.inotify_init1(os.O_CLOEXEC)
        self._orders: list[dict[str, str]] = []

    def run(self) -> None:
        """Do what is ordered until nobody orders any more."""
        watch = self._libc.inotify_add_watch(
            self._queue,
            os.fsencode(self._directory),
            _MODIFY | _DELETE | _MOVED_TO,
        )
        _say({"ready": watch >= 0})
        orders = os.fdopen(0, "rb", buffering=0)
        while True:
            ready, _, _ = select.select([self._queue, orders], [], [])
            if self._queue in ready:
                self._look()
            if orders in ready:
                line = orders.readline()
                if not line:
                    return
                self._take(json.loads(line))

    def _take(self, order: dict[str, str]) -> None:
        if "moment" in order:
            self._orders.append(order)
            _say({"armed": order["moment"]})
        else:
            _do(order)

    def _look(self) -> None:
        data = os.read(self._queue, 65536)
        while data:
            _, mask, _, length = _EVENT.unpack_from(data)
            name = data[_EVENT.size : _EVENT.size + length]
            self._event(mask, name.rstrip(b"\0").decode())
            data = data[_EVENT.size + length :]

    def _event(self, mask: int, name: str) -> None:
        now = moment(self._directory, mask, name)
        for order in list(self._orders):
            if order["moment"] == now and name.startswith(order["server"]):
                self._orders.remove(order)
                _do(order)


def _do(order: dict[str, str]) -> None:
    _DO[order["do"]](order["to"])
    _say({"done": order["do"]})


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    Saboteur(pathlib.Path(sys.argv[1])).run()
