# SPDX-License-Identifier: Apache-2.0
"""The trials by their names."""

import collections.abc

from lab.proof import moves
from lab.trial import corruption
from lab.trial import revert_disks

Trial = collections.abc.Callable[[moves.Stage], None]

#: In the order in which ``--all`` plays them.
TRIALS: dict[str, Trial] = {
    "corruption": corruption.run,
    "revert-disks": revert_disks.run,
}


def select(names: collections.abc.Sequence[str]) -> dict[str, Trial]:
    """The trials of these names, in the order of the table.

    :raises KeyError: with a name that is none
    """
    wanted = {name: TRIALS[name] for name in names}
    return {name: trial for name, trial in TRIALS.items() if name in wanted}


def what(trial: Trial) -> str:
    """What a trial shows, in a line."""
    return (trial.__doc__ or "").partition("\n")[0]
