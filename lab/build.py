# SPDX-License-Identifier: Apache-2.0
"""Build what the hosts and their guests start from, unless it is cached.

Runs with the machine's own Python beside the installation of everything
else, so it may import the standard library only.
"""

import os
import threading

from lab import guest
from lab.frame import errors
from lab.frame import paths as lab_paths
from lab.frame import steps as lab_steps
from lab.hosts import image


def build(paths: lab_paths.Paths, steps: lab_steps.Steps) -> None:
    """Build the host image, then the guest's files with its kernel.

    :raises LabError: one of them cannot be built
    """
    for directory in (paths.image, paths.logs):
        directory.mkdir(parents=True, exist_ok=True)
    image.build(steps)
    guest.build(steps)


class Builder:
    """The process that runs build(), started before this one.

    :param pipe: file descriptor that will carry its exit status
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._status: str | None = None

    def wait(self) -> None:
        """Wait for its end."""
        with self._lock:
            if self._status is None:
                with os.fdopen(self._pipe) as pipe:
                    self._status = pipe.read().strip()

    def check(self) -> None:
        """Wait for its end.

        :raises LabError: it has failed; it has said why itself
        """
        self.wait()
        if self._status != "0":
            raise errors.LabError("the image is not there: see above")
