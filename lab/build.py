# SPDX-License-Identifier: Apache-2.0
"""Build what the hosts and their guests start from, unless it is cached.

Runs with the machine's own Python beside the installation of everything
else, so it may import the standard library only.
"""

import functools

from lab import guest
from lab.frame import paths as lab_paths
from lab.frame import steps as lab_steps
from lab.frame import tasks
from lab.hosts import image


def build(paths: lab_paths.Paths, steps: lab_steps.Steps) -> None:
    """Build the host image and the guest's files.

    :raises LabError: one of them cannot be built
    """
    for directory in (paths.image, paths.logs):
        directory.mkdir(parents=True, exist_ok=True)
    tasks.run(
        {
            "image": tasks.Task(functools.partial(image.build, steps)),
            # The guest's kernel is the hosts'.
            "guest": tasks.Task(
                functools.partial(guest.build, steps), needs=("image",)
            ),
        }
    )
