# SPDX-License-Identifier: Apache-2.0
"""``python -m lab.trial``: trials, in a lab that is up."""

import argparse
import sys

from lab import cloud as lab_cloud
from lab.frame import errors
from lab.frame import netns
from lab.frame import paths as lab_paths
from lab.frame import steps as lab_steps
from lab.hosts import machine
from lab.proof import moves
from lab.proof import verdict as lab_verdict
from lab.proof import watch as lab_watch
from lab.trial import table


def _parse(words: list[str]) -> dict[str, table.Trial]:
    parser = argparse.ArgumentParser(
        prog="lab/trials",
        description="Show what is promised of a move, one promise a trial.",
    )
    parser.add_argument("--all", action="store_true", help="every trial")
    parser.add_argument(
        "--list", action="store_true", help="print what trials there are"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a trial")
    arguments = parser.parse_args(words)
    if arguments.list:
        lines = [f"{n:24} {table.what(t)}\n" for n, t in table.TRIALS.items()]
        parser.exit(message="".join(lines))
    if arguments.all:
        return table.TRIALS
    if not arguments.names:
        parser.error("name a trial: see --list")
    try:
        return table.select(arguments.names)
    except KeyError as error:
        parser.error(f"no trial {error.args[0]}: see --list")


def _play(
    name: str, trial: table.Trial, stage: moves.Stage, steps: lab_steps.Steps
) -> bool:
    """Play one; whatever becomes of it, the others are played.

    :returns: whether all that it claimed is true
    """
    steps.note(f"---- {name}: {table.what(trial)}")
    verdict = stage.verdict
    try:
        trial(stage)
    except errors.LabError as error:
        verdict.claim(False, f"{name} came to its end: {error}")
    if verdict.untrue:
        # Then it says little about the product.
        for why in machine.hanging((stage.source, stage.destination)):
            verdict.claim(False, f"the lab is sound: {why}")
    for what in verdict.untrue:
        print(f"UNTRUE  {what}", file=sys.stderr)
    steps.note(
        f"{name}: {verdict.held} claims are true, "
        f"{len(verdict.untrue)} are not"
    )
    return not verdict.untrue


def main(words: list[str]) -> int:
    """Play them; the status says whether everything was true."""
    trials = _parse(words)
    steps = lab_steps.Steps()
    for name in trials:
        if name in table.INSTALLS:
            with steps(f"what {name} needs"):
                table.INSTALLS[name]()
    # Where packages cannot be had.
    netns.enter(lab_paths.here())
    hosts = [machine.Host(number) for number in lab_paths.HOST_NUMBERS]
    cloud = lab_cloud.connect()
    held = True
    for name, trial in trials.items():
        with lab_watch.Watch(hosts) as watch:
            verdict = lab_verdict.Verdict()
            stage = moves.Stage(cloud, steps, watch, verdict, *hosts)
            held &= _play(name, trial, stage, steps)
    return 0 if held else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except errors.LabError as error:
        sys.exit(f"lab/trials: {error}")
