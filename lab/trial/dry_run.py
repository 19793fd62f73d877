# SPDX-License-Identifier: Apache-2.0
"""The dry run's word is kept by the move that follows it."""

import collections
import contextlib
import dataclasses
import functools
import itertools
import time
import typing

from lab.frame import errors
from lab.hosts import machine
from lab.proof import moves
from lab.trial import guests
from lab.trial import huge_pages

_PLAN = "os-numaMigratePlan"
_ONE = ("0", "1", "2", "3", "7")
_TWO = ("0,1", "2,3", "3,0", "1,2", "2,7")
_WORDS = ("yes", "no")
# Nova keeps 255 characters of what an action says.
_KEPT = 200


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of guest, and what is asked for it.

    :param first: the nodes that it is made on, on the source
    :param maps: values of the hint, each asked of each host
    :param taken: a node on each host whose own CPU another guest has
    :param huge: whether the hosts need huge pages for it
    """

    name: str
    flavor: str
    first: str
    maps: tuple[str, ...]
    taken: tuple[str, str] | None = None
    huge: bool = False


KINDS = (
    Kind("one cell, shared CPUs", "shared1", "1", _ONE),
    Kind("two cells, dedicated CPUs", "even2", "2,3", _TWO, ("1", "0")),
    Kind("two cells that differ", "numa2", "2,3", _TWO, ("1", "0")),
    Kind("one cell, huge pages", "huge1", "3", _ONE, huge=True),
    Kind("one cell, pages of any size", "any1", "0", _ONE, huge=True),
    Kind("no topology, on one node", "plain1", "1", _ONE),
    Kind("no topology, over two nodes", "plain2", "2,3", _TWO),
)


def run(kind: Kind, stage: moves.Stage) -> None:
    """The dry run's yes is a move that succeeds, its no the same refusal.

    Of each node of each host, for one kind of guest.
    """
    totals: collections.Counter[str] = collections.Counter()
    hosts = (stage.destination, stage.source)
    with contextlib.ExitStack() as stack:
        if kind.huge:
            stack.enter_context(huge_pages.reserved(stage, hosts))
        for host, node in zip(hosts, kind.taken or (), strict=False):
            other = guests.made(stage, host, node, name=f"other{host.number}")
            stack.enter_context(other)
        guest = stack.enter_context(
            guests.made(stage, stage.source, kind.first, kind.flavor)
        )
        for nodes, host in itertools.product(kind.maps, hosts):
            totals[_kept(stage, guest, host, nodes)] += 1
    stage.steps.note(
        f"{kind.name}: {totals['yes']} times yes and {totals['no']} times "
        f"no, kept; {totals['broken']} not kept"
    )
    stage.verdict.claim(
        all(totals[word] for word in _WORDS),
        f"{kind.name}: the dry run said both: {totals}",
    )


def _kept(
    stage: moves.Stage, guest: guests.Guest, host: machine.Host, nodes: str
) -> str:
    """Ask for the plan and for the move; what was said, or ``broken``."""
    what = f"{nodes} of {host.name} from {guest.host}"
    refusal = _plan(stage, guest, host, nodes)
    if refusal is None:
        stage.steps.note(f"{what}: dry run says yes")
        began = time.monotonic()
        guest.counting(began)
        if not guest.go(host, nodes):
            return "broken"
        guest.confirm()
        guest.goes_on(began)
        return "yes"
    told = _ask(guest, host, nodes)
    stage.steps.note(f"{what}: dry run says no: {refusal}")
    return (
        "no"
        if stage.verdict.claim(
            told is not None and refusal[:_KEPT] in told,
            f"{what}: refused with the words of the dry run: {refusal!r}, "
            f"{told!r}",
        )
        else "broken"
    )


def _plan(
    stage: moves.Stage, guest: guests.Guest, host: machine.Host, nodes: str
) -> str | None:
    """What the dry run says against it; None for its yes."""
    body = {
        _PLAN: {
            "host": host.name,
            "os:scheduler_hints": {"numa_node": nodes},
        }
    }
    path = f"/servers/{guest.uuid}/action"
    answer = stage.cloud.compute.post(path, json=body)
    told: dict[str, typing.Any] = answer.json()
    if answer.status_code >= 400:
        [fault] = told.values()
        return str(fault["message"])
    [found] = told["numa_migrate_plan"]["hosts"]
    return None if found["fits"] else "; ".join(found["reasons"])


def _ask(guest: guests.Guest, host: machine.Host, nodes: str) -> str | None:
    """What is said against the move itself; None if it has moved."""
    try:
        status = guest.ask(host, nodes)
    except errors.LabError as error:
        return str(error)
    if status == guests.MOVED:
        guest.revert()
        return None
    return "; ".join(guest.refusals())


def trials() -> dict[str, typing.Callable[[moves.Stage], None]]:
    """A trial for each kind of guest, by its name."""
    return {
        f"dry-run-{kind.flavor}": functools.partial(run, kind)
        for kind in KINDS
    }
