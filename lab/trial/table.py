# SPDX-License-Identifier: Apache-2.0
"""The trials by their names."""

import collections.abc
import functools

from lab.extra import storage
from lab.extra import volumes
from lab.proof import moves
from lab.trial import audits
from lab.trial import corruption
from lab.trial import drives
from lab.trial import dry_run
from lab.trial import half_way
from lab.trial import network
from lab.trial import revert_disks
from lab.trial import same_host
from lab.trial import shared
from lab.trial import short_node
from lab.trial import time_to_stop
from lab.trial import volume

Trial = collections.abc.Callable[[moves.Stage], None]

#: In the order in which ``--all`` plays them.
TRIALS: dict[str, Trial] = {
    "corruption": corruption.run,
    "revert-disks": revert_disks.run,
    "half-way": half_way.run,
    "short-node": short_node.run,
    "same-host": same_host.run,
    "time-to-stop": time_to_stop.run,
    "audits": audits.run,
    **dry_run.trials(),
    "network": network.run,
    "drives": drives.run,
    "shared": shared.run,
    "volume": volume.run,
}

#: What trials need beside the lab, by their names.
INSTALLS: dict[str, collections.abc.Callable[[], None]] = {
    "shared": storage.install,
    "volume": volumes.install,
}


def select(names: collections.abc.Sequence[str]) -> dict[str, Trial]:
    """The trials of these names, in the order of the table.

    :raises KeyError: with a name that is none
    """
    wanted = {name: TRIALS[name] for name in names}
    return {name: trial for name, trial in TRIALS.items() if name in wanted}


def what(trial: Trial) -> str:
    """What a trial shows, in a line."""
    told = trial.func if isinstance(trial, functools.partial) else trial
    return (told.__doc__ or "").partition("\n")[0]
