# SPDX-License-Identifier: Apache-2.0
"""Start and stop the lab's daemons, each by a record of its own.

A daemon runs in the lab's network namespace and in a session of its own,
writes to one log, and is recorded with its pid, its start time and the
machine's boot id. Only what a record proves to be ours is ever signalled:
the recorded process and the other members of its session.
"""

import collections.abc
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time

from lab.frame import errors
from lab.frame import paths as lab_paths

_BOOT_ID = pathlib.Path('/proc/sys/kernel/random/boot_id')


@dataclasses.dataclass(frozen=True)
class Record:
    """Proof of which process a daemon is.

    :param started: start time in clock ticks since boot, as in /proc
    """

    pid: int
    started: int
    boot_id: str


@dataclasses.dataclass(frozen=True)
class _Status:
    """What /proc tells about a process."""

    pid: int
    state: str
    session: int
    started: int


def _status(pid: int) -> _Status | None:
    try:
        text = pathlib.Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return None
    # The command's name stands in brackets and may hold anything.
    fields = text.rpartition(')')[2].split()
    return _Status(pid, fields[0], int(fields[3]), int(fields[19]))


def _living(pid: int) -> _Status | None:
    status = _status(pid)
    return None if status is None or status.state in 'ZX' else status


def _every_process() -> collections.abc.Iterator[_Status]:
    for entry in os.listdir('/proc'):
        if entry.isdigit() and (status := _living(int(entry))):
            yield status


@dataclasses.dataclass(frozen=True)
class Daemon:
    """A long-running process of the lab, known by its name."""

    paths: lab_paths.Paths
    name: str

    @property
    def log(self) -> pathlib.Path:
        """Where its standard output and standard error go."""
        return self.paths.log(self.name)

    @property
    def _file(self) -> pathlib.Path:
        return self.paths.run / 'pids' / self.name

    def start(
        self,
        argv: collections.abc.Sequence[str],
        env: collections.abc.Mapping[str, str] | None = None,
    ) -> bool:
        """Start it in the lab's network namespace unless it runs already.

        :param argv: program and arguments
        :param env: variables to add to the environment
        :returns: whether it was started now
        """
        if self.alive():
            return False
        self.stop()
        with fresh_log(self.log).open('wb') as log:
            process = subprocess.Popen(
                ['nsenter', f'--net={self.paths.netns_file}', '--', *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(env or {})},
                cwd=self.paths.state,
            )
        self._write(process.pid)
        return True

    def alive(self) -> bool:
        """Whether the recorded process itself still runs."""
        record = self._read()
        if record is None:
            return False
        status = _living(record.pid)
        return status is not None and status.started == record.started

    def check(self) -> None:
        """Raise when the daemon is not there any more.

        :raises LabError: with the daemon's log
        """
        if not self.alive():
            raise errors.LabError(f'{self.name} has ended', self.log)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to every process of the daemon's session."""
        record = self._read()
        for status in self._members(record) if record else ():
            _kill(status, number)

    def stop(self, grace: float = 8.0) -> None:
        """End the whole session: TERM, wait, KILL; forget the record.

        :param grace: seconds that it has to end by itself
        :raises LabError: it survived even KILL
        """
        record = self._read()
        if record is None:
            return
        self._end(record, signal.SIGTERM, grace)
        self._end(record, signal.SIGKILL, 5.0)
        if left := self._members(record):
            pids = ', '.join(str(status.pid) for status in left)
            raise errors.LabError(f'{self.name}: cannot end process {pids}')
        self._file.unlink(missing_ok=True)

    def _end(
        self, record: Record, number: signal.Signals, seconds: float
    ) -> None:
        limit = time.monotonic() + seconds
        members = self._members(record)
        for status in members:
            _kill(status, number)
        while members and time.monotonic() < limit:
            time.sleep(0.05)
            members = self._members(record)

    def _members(self, record: Record) -> list[_Status]:
        leader = _status(record.pid)
        if leader is not None and leader.started != record.started:
            # The kernel reuses a pid only when its session is empty.
            return []
        return [
            status
            for status in _every_process()
            if status.session == record.pid
            and status.started >= record.started
        ]

    def _write(self, pid: int) -> None:
        status = _status(pid)
        if status is None:
            raise errors.LabError(f'{self.name} did not start', self.log)
        record = Record(pid, status.started, _BOOT_ID.read_text().strip())
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(dataclasses.asdict(record)))

    def _read(self) -> Record | None:
        try:
            record = Record(**json.loads(self._file.read_text()))
        except FileNotFoundError:
            return None
        if record.boot_id != _BOOT_ID.read_text().strip():
            return None
        return record


def recorded(paths: lab_paths.Paths) -> list[Daemon]:
    """Every daemon that has a record, newest first."""
    directory = paths.run / 'pids'
    files = list(directory.iterdir()) if directory.is_dir() else []
    files.sort(key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return [Daemon(paths, file.name) for file in files]


def _kill(status: _Status, number: signal.Signals) -> None:
    try:
        os.kill(status.pid, number)
    except ProcessLookupError:
        return


def fresh_log(log: pathlib.Path) -> pathlib.Path:
    """Keep the log of the run before as ``NAME.log.1``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_suffix('.log.1'))
    return log
