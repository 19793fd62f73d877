# SPDX-License-Identifier: Apache-2.0
"""What the shell entry points run: ``python -m lab COMMAND``."""

import argparse
import collections.abc
import contextlib
import fcntl
import os
import sys

from lab.frame import errors
from lab.frame import identity
from lab.frame import paths as lab_paths
from lab.frame import steps as lab_steps


def _up(arguments: argparse.Namespace) -> int:
    from lab import build
    from lab import up

    paths = lab_paths.here()
    with _alone(paths):
        up.Up(paths, lab_steps.Steps(), build.Builder(arguments.builder)).run()
    return 0


def _down(arguments: argparse.Namespace) -> int:
    from lab import down

    paths = lab_paths.here()
    with _alone(paths):
        down.down(paths, lab_steps.Steps(), wipe=arguments.wipe)
    return 0


def _build(_: argparse.Namespace) -> int:
    from lab import build

    build.build(lab_paths.here(), lab_steps.Steps())
    return 0


def _openstack(arguments: argparse.Namespace) -> int:
    paths = lab_paths.here()
    if not paths.netns_file.exists():
        raise errors.LabError("the lab is not up; start it with lab/up")
    os.environ.update(identity.client_environment())
    argv = ["nsenter", f"--net={paths.netns_file}", "--"]
    argv += [paths.bin("openstack"), *arguments.words]
    os.execvp(argv[0], argv)  # noqa: S606 - the client takes our place


@contextlib.contextmanager
def _alone(paths: lab_paths.Paths) -> collections.abc.Iterator[None]:
    """Hold the checkout's lock: one lab/up or lab/down at a time."""
    directory = os.open(paths.root / "lab", os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab")
    commands = parser.add_subparsers(required=True)
    up = commands.add_parser("up", help="start the lab, or repair it")
    up.add_argument(
        "--builder", type=int, required=True, help=argparse.SUPPRESS
    )
    up.set_defaults(run=_up)
    down = commands.add_parser("down", help="stop and remove the lab")
    down.add_argument(
        "--wipe", action="store_true", help="remove image and snapshot, too"
    )
    down.set_defaults(run=_down)
    build = commands.add_parser("build", help="build the image, if needed")
    build.set_defaults(run=_build)
    client = commands.add_parser("openstack", help="the openstack client")
    client.add_argument("words", nargs=argparse.REMAINDER)
    client.set_defaults(run=_openstack)
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Run a command; its status is the program's."""
    arguments = _parse(words)
    try:
        status: int = arguments.run(arguments)
    except errors.LabError as error:
        if not getattr(error, "explained", False):
            print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; lab/down removes what runs", file=sys.stderr)
        return 130
    return status


if __name__ == "__main__":
    STATUS = main(sys.argv[1:])
    sys.stdout.flush()
    # After a failure other steps may still wait for what will never come.
    os._exit(STATUS)
