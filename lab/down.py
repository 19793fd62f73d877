# SPDX-License-Identifier: Apache-2.0
"""Take the lab away: its daemons, its network, its run-time files.

Only what a record in the run-time directory proves to be the lab's own is
ended. The cached image and the snapshot stay for the next ``lab/up``,
unless they are to be wiped.
"""

import concurrent.futures
import pathlib
import shutil

from lab.frame import netns
from lab.frame import paths as lab_paths
from lab.frame import process
from lab.frame import steps as lab_steps

# Nothing of the running state is kept, so there is nothing to wait for.
_GRACE = 2.0


def down(
    paths: lab_paths.Paths, steps: lab_steps.Steps, *, wipe: bool
) -> None:
    """Stop and remove everything of this checkout's lab.

    :param wipe: remove the image, the snapshot and the logs, too
    """
    daemons = process.recorded(paths)
    if daemons:
        with steps(f"{len(daemons)} daemons stopped"):
            _stop(daemons)
    if not (daemons or paths.run.exists() or paths.lab.exists()):
        steps.note("nothing to remove")
        return
    with steps("network and files removed"):
        netns.remove(paths)
        shutil.rmtree(paths.run, ignore_errors=True)
        _remove(paths.lab if wipe else paths.state)


def _stop(daemons: list[process.Daemon]) -> None:
    with concurrent.futures.ThreadPoolExecutor(len(daemons)) as pool:
        ends = [pool.submit(daemon.stop, _GRACE) for daemon in daemons]
    for end in ends:
        end.result()


def _remove(directory: pathlib.Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
