# SPDX-License-Identifier: Apache-2.0
"""``python -m lab.proof``: the demonstration, in a lab that is up."""

import sys

from lab.frame import errors
from lab.frame import netns
from lab.frame import paths as lab_paths
from lab.frame import steps as lab_steps
from lab.proof import story
from lab.proof import verdict as lab_verdict


def main() -> int:
    """Run it; the status says whether everything was true."""
    steps = lab_steps.Steps()
    verdict = lab_verdict.Verdict()
    netns.enter(lab_paths.here())
    try:
        story.run(steps, verdict)
    except errors.LabError as error:
        if not getattr(error, "explained", False):
            print(f"lab/demo: {error}", file=sys.stderr)
        verdict.claim(False, f"the demonstration came to its end: {error}")
    for what in verdict.untrue:
        print(f"UNTRUE  {what}", file=sys.stderr)
    steps.note(
        f"{verdict.held} claims are true, {len(verdict.untrue)} are not"
    )
    return 1 if verdict.untrue else 0


if __name__ == "__main__":
    sys.exit(main())
