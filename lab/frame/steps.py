# SPDX-License-Identifier: Apache-2.0
"""One clear line for each step of the lab, with its seconds.

A line is written when a step ends, so that steps which run side by side do
not mix. Its first figure is the time since the command began, the second
one the step's own. A failed step shows where its log is and how it ends,
once, and lets the exception go on.
"""

import collections.abc
import contextlib
import os
import pathlib
import sys
import threading
import time
import typing

from lab.frame import errors

# Set by the shell entry points: programs of one command share one clock.
STARTED = 'LAB_STARTED'


class Steps:
    """Printer of steps; one object may be used by many threads.

    :param out: where the lines go
    :param started: time.time() from which the total is counted
    """

    def __init__(
        self,
        out: typing.TextIO | None = None,
        started: float | None = None,
    ) -> None:
        self._out = out or sys.stdout
        self._lock = threading.Lock()
        clock = started or float(os.environ.get(STARTED, time.time()))
        self._started = clock

    @property
    def total(self) -> float:
        """Seconds since the command began."""
        return time.time() - self._started

    @contextlib.contextmanager
    def __call__(
        self, what: str, log: pathlib.Path | None = None
    ) -> collections.abc.Iterator[None]:
        """Time a step and print its line.

        :param what: the step, in the words of the person who waits for it
        :param log: the file to show when it fails
        """
        began = time.monotonic()
        try:
            yield
        except BaseException as error:
            self._line(time.monotonic() - began, f'FAILED {what}')
            self._explain(error, log)
            raise
        self._line(time.monotonic() - began, what)

    def note(self, text: str) -> None:
        """Print a line that is not a step."""
        self._write(f'{self.total:7.1f} s            {text}\n')

    def _line(self, seconds: float, what: str) -> None:
        self._write(f'{self.total:7.1f} s {seconds:7.1f} s  {what}\n')

    def _explain(self, error: BaseException, log: pathlib.Path | None) -> None:
        if getattr(error, 'explained', False):
            return
        error.explained = True  # type: ignore[attr-defined]
        log = getattr(error, 'log', None) or log
        lines = [str(error) or type(error).__name__]
        if log is not None:
            lines += [f'log: {log}', *errors.tail(log)]
        self._write(''.join(f'      | {line}\n' for line in lines))

    def _write(self, text: str) -> None:
        with self._lock:
            self._out.write(text)
            self._out.flush()
