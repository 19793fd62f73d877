# SPDX-License-Identifier: Apache-2.0
"""Two guests move onto named nodes of another host; is it all true?"""

import collections.abc
import concurrent.futures
import typing

from lab import cloud as lab_cloud
from lab.frame import paths as lab_paths
from lab.frame import steps as lab_steps
from lab.hosts import machine
from lab.proof import checkpoints
from lab.proof import moves
from lab.proof import servers
from lab.proof import verdict as lab_verdict
from lab.proof import watch as lab_watch

_PLANS = (
    moves.Plan("g1", "numa1", "1", (1,)),
    moves.Plan("g2", "numa2", "3,2", (3, 2)),
)
_MISSING_NODE = 7
_T = typing.TypeVar("_T")


def run(steps: lab_steps.Steps, verdict: lab_verdict.Verdict) -> None:
    """Tell it from the beginning to the end.

    The caller must be in the lab's network namespace.

    :param verdict: takes what is found
    :raises LabError: a part of it did not come to its end
    """
    cloud = lab_cloud.connect()
    names = [plan.name for plan in _PLANS]
    servers.remove(cloud, names)
    hosts = [machine.Host(number) for number in lab_paths.HOST_NUMBERS]
    with lab_watch.Watch(hosts) as watch:
        stage = moves.Stage(cloud, steps, watch, verdict, *hosts)
        _tell(stage, *(moves.Guest(stage, plan) for plan in _PLANS))
    with steps("servers deleted"):
        servers.remove(cloud, names)


def _tell(stage: moves.Stage, first: moves.Guest, second: moves.Guest) -> None:
    _together(first.boot, second.boot)
    with stage.steps("both moves"):
        silences = _together(first.go, second.go)
    for guest in (first, second):
        guest.prove()
        _claim_checkpoint(stage, guest)
    stock, _ = _together(
        lambda: _settle_and_compare(stage, first),
        lambda: _take_back(stage, second),
    )
    stage.steps.note(
        f"downtime of {first.plan.name}: {silences[0]:.1f} s with its state "
        f"(two moves at once), {stock:.1f} s with Nova's stock cold "
        "migration (beside the revert), which boots it anew"
    )


def _settle_and_compare(stage: moves.Stage, guest: moves.Guest) -> float:
    """Confirm, ask for a missing node, and move it as stock Nova does.

    :returns: seconds of silence of the stock move
    """
    # In this order: a guest that is not confirmed cannot be moved at all.
    guest.confirm()
    _claim_gone(stage, guest)
    guest.ask_for_missing_node(_MISSING_NODE)
    return guest.go_stock()


def _take_back(stage: moves.Stage, guest: moves.Guest) -> float:
    silence = guest.revert()
    _claim_gone(stage, guest)
    return silence


def _claim_gone(stage: moves.Stage, guest: moves.Guest) -> None:
    hosts = (stage.source, stage.destination)
    checkpoints.claim_gone(guest.server.uuid, hosts, stage.verdict)


def _claim_checkpoint(stage: moves.Stage, guest: moves.Guest) -> None:
    uuid = guest.server.uuid
    hosts = (stage.source, stage.destination)
    checkpoints.claim_private(stage.watch, uuid, hosts, stage.verdict)
    # The source's stays for a revert.
    checkpoints.claim_gone(uuid, (stage.destination,), stage.verdict)


def _together(*tasks: collections.abc.Callable[[], _T]) -> list[_T]:
    with concurrent.futures.ThreadPoolExecutor(len(tasks)) as pool:
        running = [pool.submit(task) for task in tasks]
        return [future.result() for future in running]
