# SPDX-License-Identifier: Apache-2.0
"""Nova's conductor and scheduler, which are not behind HTTP."""

from lab.frame import paths as lab_paths
from lab.frame import process

PROGRAMS = ("nova-conductor", "nova-scheduler")


def start(paths: lab_paths.Paths) -> None:
    """Start both; they say by their reports that they are there.

    Each asks Keystone and Placement something first and ends when it is
    refused, so Keystone must know its user by now.
    """
    config = str(paths.etc / "nova" / "nova.conf")
    for program in PROGRAMS:
        process.Daemon(paths, program).start(
            [paths.bin(program), "--config-file", config]
        )
