# SPDX-License-Identifier: Apache-2.0
"""Wait until a part of the lab answers, and notice when it never will."""

import collections.abc
import contextlib
import http.client
import socket

import tenacity

from lab.frame import errors
from lab.frame import patience
from lab.frame import process


class Late(errors.LabError):
    """The time is over."""


def wait(
    what: str,
    check: collections.abc.Callable[[], bool],
    *,
    timeout: float,
    daemon: process.Daemon | None = None,
    interval: float = 0.1,
) -> None:
    """Call the check until it is true.

    :param what: what is waited for, for the error
    :param timeout: seconds to wait at most, on a quiet machine
    :param daemon: the process that must not end meanwhile
    :raises Late: the time is over
    :raises LabError: the daemon has ended
    """

    timeout = patience.limit(timeout)

    def attempt() -> bool:
        if daemon is not None:
            daemon.check()
        return check()

    try:
        tenacity.Retrying(
            stop=tenacity.stop_after_delay(timeout),
            wait=tenacity.wait_fixed(interval),
            retry=tenacity.retry_if_result(lambda ready: not ready),
        )(attempt)
    except tenacity.RetryError as error:
        raise Late(
            f"{what}: not there after {timeout:.0f} s",
            daemon.log if daemon else None,
        ) from error


def listens(address: str, port: int) -> bool:
    """Whether something accepts TCP connections there."""
    with contextlib.suppress(OSError):
        with socket.create_connection((address, port), timeout=2):
            return True
    return False


def answers(address: str, port: int, path: str = "/") -> bool:
    """Whether an HTTP server answers there with anything but an error.

    A WSGI server listens before its application is loaded, so that an open
    port alone says nothing.
    """
    connection = http.client.HTTPConnection(address, port, timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
