# SPDX-License-Identifier: Apache-2.0
"""Build what the hosts and their guests start from, unless it is cached.

Runs with the machine's own Python beside the installation of everything
else, so it may import the standard library only.
"""

from lab import guest
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
