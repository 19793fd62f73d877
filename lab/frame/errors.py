# SPDX-License-Identifier: Apache-2.0
"""The one exception of the lab, made to be read by the person who ran it."""

import pathlib


class LabError(Exception):
    """A part of the lab did not do what it had to.

    :param message: what failed, where and what to do about it
    :param log: file whose last lines show why
    """

    def __init__(self, message: str, log: pathlib.Path | None = None) -> None:
        super().__init__(message)
        self.log = log


def tail(log: pathlib.Path, lines: int = 15) -> list[str]:
    """Last lines of a log; empty when there is no such file."""
    try:
        text = log.read_text(errors='replace')
    except OSError:
        return []
    return text.splitlines()[-lines:]
