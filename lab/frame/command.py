# SPDX-License-Identifier: Apache-2.0
"""Run a program to its end, with its output in a log of the lab."""

import collections.abc
import os
import pathlib
import subprocess

from lab.frame import errors
from lab.frame import patience


def run(
    argv: collections.abc.Sequence[str],
    log: pathlib.Path,
    *,
    timeout: float,
    env: collections.abc.Mapping[str, str] | None = None,
    stdin: int | None = None,
) -> None:
    """Run a program; its output is added to the log.

    :param timeout: seconds after which it is killed, on a quiet machine
    :param env: variables to add to the environment
    :param stdin: file descriptor to read from
    :raises LabError: it failed or took too long
    """
    timeout = patience.limit(timeout)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        try:
            result = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise errors.LabError(
                f"{_name(argv)} took more than {timeout:.0f} s", log
            ) from error
    if result.returncode:
        raise errors.LabError(
            f"{_name(argv)} ended with status {result.returncode}", log
        )


def _name(argv: collections.abc.Sequence[str]) -> str:
    return f"{pathlib.Path(argv[0]).name} {' '.join(argv[1:])[:60]}".strip()
