# SPDX-License-Identifier: Apache-2.0
"""Runs on a compute host: tells what happens to consoles and checkpoints.

Sent there as text and run by the host's own Python, so it needs nothing
but the standard library. One JSON object a line on standard output:

``{"server": UUID, "line": TEXT}``
    a line of a guest's console;
``{"path": NAME, "event": NAME, "mode": MODE, "owner": UID, "size": BYTES}``
    something happened to a file of the checkpoint directory or to the
    directory itself; without the last three when it was gone by then.

The kernel queues the events, so none is missed, however short.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import select
import struct
import sys
import time
import typing

_MODIFY, _ATTRIB, _MOVED_TO = 0x2, 0x4, 0x80
_CREATE, _DELETE, _MOVED_FROM = 0x100, 0x200, 0x40
_CLOSE_WRITE = 0x8
_EVENT = struct.Struct("iIII")
_NAMES = {
    _ATTRIB: "attrib",
    _CLOSE_WRITE: "written",
    _CREATE: "create",
    _DELETE: "delete",
    _MOVED_FROM: "moved",
    _MOVED_TO: "create",
}
# Seconds between two looks for what other hosts make on shared storage.
_LOOK_EVERY = 1.0
# How Nova's libvirt driver names the directory of a server that has left.
_MOVED = "_resize"
# Not each write: a mode changes only by what is among these.
_FILE_EVENTS = _CREATE | _ATTRIB | _DELETE | _MOVED_TO | _MOVED_FROM
_FILE_EVENTS |= _CLOSE_WRITE


class Console:
    """A console log that is read as it grows, also when it is renamed.

    It is open only while it is read: on shared storage a host could not
    remove a file that is open there.

    :param whence: ``os.SEEK_END`` to leave out what is in it by now
    """

    def __init__(self, path: pathlib.Path, server: str, whence: int) -> None:
        state = path.stat()
        self._file = state.st_ino
        self._known = state.st_size if whence == os.SEEK_END else 0
        self._places = tuple(
            path.parent.with_name(server + suffix) / path.name
            for suffix in ("", _MOVED)
        )
        self._server = server
        self._rest = b""

    def read(self) -> None:
        """Tell the lines that are new."""
        for place in self._places:
            # What is at the one place may be another host's.
            with contextlib.suppress(FileNotFoundError):
                with place.open("rb") as file:
                    state = os.fstat(file.fileno())
                    if state.st_ino == self._file:
                        self._tell_lines(file, state.st_size)
                        return

    def _tell_lines(self, file: typing.BinaryIO, size: int) -> None:
        if size < self._known:
            # The emulator was started anew and began the file again.
            self._known, self._rest = 0, b""
        file.seek(self._known)
        new = file.read()
        self._known += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").strip("\r")
            tell({"server": self._server, "line": text})


class Agent:
    """Watches of one host.

    :param instances: directory of Nova's instances
    :param checkpoints: directory of the plugin's checkpoints
    :param from_end: whether to leave out what the consoles hold by now
    :param shared: whether other hosts make directories of instances, too
    """

    def __init__(
        self,
        instances: pathlib.Path,
        checkpoints: pathlib.Path,
        from_end: bool,
        shared: bool,
    ) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._queue = self._libc.inotify_init1(os.O_CLOEXEC)
        self._instances = instances
        self._checkpoints = checkpoints
        self._paths: dict[int, pathlib.Path] = {}
        self._consoles: dict[int, Console] = {}
        self._whence = os.SEEK_END if from_end else os.SEEK_SET
        self._shared = shared

    def run(self) -> None:
        """Tell what happens until the other end closes standard input."""
        self._watch(self._checkpoints.parent, _CREATE)
        self._see_checkpoints()
        self._watch(self._instances, _CREATE | _MOVED_TO)
        for path in self._instances.iterdir():
            self._see_instance(path)
        self._whence = os.SEEK_SET
        tell({"ready": True})
        looked = time.monotonic()
        while True:
            ready = select.select(
                [self._queue, sys.stdin], [], [], _LOOK_EVERY
            )[0]
            if sys.stdin in ready:
                return
            if self._queue in ready:
                self._take_events()
            if self._shared and time.monotonic() - looked > _LOOK_EVERY:
                self._see_others()
                looked = time.monotonic()

    def _take_events(self) -> None:
        data = os.read(self._queue, 65536)
        while data:
            number, mask, _, length = _EVENT.unpack_from(data)
            name = data[_EVENT.size : _EVENT.size + length]
            self._event(number, mask, name.rstrip(b"\0").decode())
            data = data[_EVENT.size + length :]

    def _see_others(self) -> None:
        """Look for what another host has made: no event tells of it.

        What is on a console by then was written there, not here.
        """
        self._whence = os.SEEK_END
        for path in self._instances.iterdir():
            self._see_instance(path)
        self._whence = os.SEEK_SET

    def _event(self, number: int, mask: int, name: str) -> None:
        if number in self._consoles:
            self._consoles[number].read()
            return
        directory = self._paths.get(number)
        if directory is None:
            return
        path = directory / name
        if directory == self._checkpoints:
            self._tell_file(path, mask)
        elif path == self._checkpoints:
            self._see_checkpoints()
        elif directory == self._instances:
            self._see_instance(path)
        elif name == "console.log":
            self._see_console(path)

    def _see_checkpoints(self) -> None:
        if not self._checkpoints.is_dir():
            return
        # First the watch: what comes after it may be told twice, not never.
        self._watch(self._checkpoints, _FILE_EVENTS)
        self._tell_file(self._checkpoints, _CREATE)
        for path in self._checkpoints.iterdir():
            self._tell_file(path, _CREATE)

    def _see_instance(self, path: pathlib.Path) -> None:
        if len(_server(path)) == 36 and path.is_dir():
            self._watch(path, _CREATE | _MOVED_TO)
            if (path / "console.log").exists():
                self._see_console(path / "console.log")

    def _see_console(self, path: pathlib.Path) -> None:
        number = self._watch(path, _MODIFY)
        if number is not None and number not in self._consoles:
            console = Console(path, _server(path.parent), self._whence)
            self._consoles[number] = console
            if self._whence == os.SEEK_SET:
                console.read()

    def _tell_file(self, path: pathlib.Path, mask: int) -> None:
        events = [name for bit, name in _NAMES.items() if mask & bit]
        told: dict[str, object] = {"path": path.name, "event": events[0]}
        try:
            state = path.stat()
        except FileNotFoundError:
            tell(told)
            return
        told["mode"] = state.st_mode & 0o7777
        told["owner"] = state.st_uid
        told["size"] = state.st_size
        tell(told)

    def _watch(self, path: pathlib.Path, mask: int) -> int | None:
        number = self._libc.inotify_add_watch(
            self._queue, os.fsencode(path), mask
        )
        if number < 0:
            return None
        self._paths[number] = path
        return int(number)


def _server(directory: pathlib.Path) -> str:
    """Whose directory it is: a move renames it, which changes nothing."""
    return directory.name.removesuffix(_MOVED)


def tell(what: dict[str, object]) -> None:
    """Write one object to who listens."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    Agent(
        pathlib.Path(sys.argv[1]),
        pathlib.Path(sys.argv[2]),
        "--from-end" in sys.argv[3:],
        "--shared" in sys.argv[3:],
    ).run()
