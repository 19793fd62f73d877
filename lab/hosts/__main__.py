# SPDX-License-Identifier: Apache-2.0
"""``python -m lab.hosts NUMBER [COMMAND...]``: a shell on a host."""

import os
import sys

from lab.frame import errors
from lab.frame import netns
from lab.frame import paths as lab_paths
from lab.hosts import machine


def main(words: list[str]) -> None:
    """Become ssh to the host."""
    paths = lab_paths.here()
    if not paths.netns_file.exists():
        raise errors.LabError("the lab is not up; start it with lab/up")
    netns.enter(paths)
    argv = machine.Host(int(words[0])).shell.argv(words[1:], shared=False)
    os.execvp(argv[0], argv)  # noqa: S606 - ssh takes our place


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except errors.LabError as error:
        sys.exit(f"lab/ssh: {error}")
