# SPDX-License-Identifier: Apache-2.0
"""How fast and how right placements are, with Nova's own fit as the peer.

    python -m benchmarks.placement [NAME]...

Prints one JSON object a line: ``name``, ``value``, ``unit``, ``peer``,
``peer_value`` and ``ratio``, which is the value as a share of the peer's.
Times are of the processor, so that a busy machine tells much the same, and
medians where there is more than one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
import functools
import json
import logging
import random
import signal
import statistics
import subprocess
import sys
import time
from typing import Any, NamedTuple

from nova import objects
from nova.virt import hardware

from benchmarks import filtering
from benchmarks import fleet
from benchmarks import fuzz_placement
from nova_numa_migrate import fit
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.placement import core
from nova_numa_migrate.placement.reasons import Refused

objects.register_all()

#: Seconds after which the peer is stopped.
_PATIENCE = 10
#: Hosts that stand for a fleet of so many where Nova would take too long.
_SAMPLE, _FLEET = 50, 10000
#: Cases of each of six kinds; fuzz_placement does more.
_CASES = 300
_LIMITS = objects.NUMATopologyLimits(
    cpu_allocation_ratio=4.0, ram_allocation_ratio=1.0
)


class Result(NamedTuple):
    """A figure, and the same of the peer."""

    value: float
    unit: str
    peer: str
    peer_value: float


class _Stopped(Exception):
    """The peer took too long."""


def refuse_full_16x8() -> Result:
    """An 8-cell guest on a host whose 16 nodes are full."""
    rng = random.Random(1)  # noqa: S311
    host = _topology(fleet.report(rng, 16, full=True))
    guest = _nova_guest(8)
    refused = fit.decide(host, guest, None, _LIMITS)
    if not isinstance(refused, Refused):
        raise AssertionError(f'a full host takes a guest: {refused}')
    ours = _median(lambda: fit.decide(host, guest, None, _LIMITS), 50)
    with _patience():
        theirs = _seconds(lambda: _nova(host, guest))
        return Result(1e3 * ours, 'ms', "Nova's fit", 1e3 * theirs)
    peer = f"Nova's fit, stopped after {_PATIENCE} s without an answer"
    return Result(1e3 * ours, 'ms', peer, 1e3 * _PATIENCE)


def hinted_decision_4() -> Result:
    """Two guest cells on two named nodes of four, median over hosts."""
    return _hinted(4)


def hinted_decision_8() -> Result:
    """Two guest cells on two named nodes of eight, median over hosts."""
    return _hinted(8)


def plan_10000x8() -> Result:
    """Find nodes for 4 guest cells on each host, or all reasons why not."""
    hosts = fleet.parsed(fleet.reports(_FLEET, 8))
    ours = statistics.median(_plan(hosts) for _ in range(3))
    return Result(ours, 's', *_novas_plan())


def plan_10000x8_from_db() -> Result:
    """The same from reports as the database has them."""
    texts = list(fleet.reports(_FLEET, 8))
    ours = _seconds(lambda: _plan(fleet.parsed(iter(texts))))
    return Result(ours, 's', *_novas_plan(parse=True))


def plan_10000x8_memory() -> Result:
    """All of a process that has the fleet's reports and its plan."""
    # Many, so that they are more than what importing Nova took.
    some = 10 * _SAMPLE
    novas = _peak('novas', 2 * some) - _peak('novas', some)
    return Result(
        _peak('ours', _FLEET),
        'MiB',
        f"Nova's objects of {some} hosts, times {_FLEET // some}",
        novas * _FLEET / some,
    )


def wrong_answers() -> Result:
    """Of random cases against trying every map; an untrue reason is one."""
    counts = [
        fuzz_placement.run(cells, symmetric, _CASES, seed=1)
        for cells in (2, 3, 4)
        for symmetric in (True, False)
    ]
    novas = sum(
        number
        for count in counts
        for name, number in count.items()
        if name.startswith('nova') and name != 'nova right'
    )
    ours = sum(count['wrong'] for count in counts)
    return Result(ours, 'answers', f"Nova's fit, {6 * _CASES} cases", novas)


def growth() -> Result:
    """Ten times the hosts: how many times the time.

    Of the same hosts at once and in ten parts, in turn, since the machine is
    not as fast at every time.
    """
    hosts = fleet.parsed(fleet.reports(_FLEET, 8))
    tenth = _FLEET // 10
    ratios = []
    for _ in range(3):
        small = statistics.mean(
            _plan(hosts[first : first + tenth])
            for first in range(0, _FLEET, tenth)
        )
        ratios.append(_plan(hosts) / small)
    value = statistics.median(ratios)
    return Result(value, 'times', 'as many times the hosts', 10)


def filter_per_host() -> Result:
    """A look of the filter at one host of many, and at one of a tenth."""
    topologies = [_topology(text) for text in fleet.reports(100, 8)]
    spec = filtering.request(_nova_guest(2), NodeMap((7, 6)))
    many, few = (
        statistics.median(
            filtering.seconds_per_host(
                filtering.host_states(topologies, count), spec
            )
            for _ in range(5)
        )
        for count in (_FLEET // 2, _FLEET // 20)
    )
    peer = f'one of {_FLEET // 20} hosts in place of {_FLEET // 2}'
    return Result(1e6 * many, 'us', peer, 1e6 * few)


ALL: dict[str, Callable[[], Result]] = {
    run.__name__: run
    for run in (
        refuse_full_16x8,
        hinted_decision_4,
        hinted_decision_8,
        plan_10000x8,
        plan_10000x8_from_db,
        plan_10000x8_memory,
        wrong_answers,
        growth,
        filter_per_host,
    )
}


def _hinted(nodes: int) -> Result:
    """Both decide on the same hosts; Nova finds its own nodes.

    Nova's fit writes into the guest, so that each host needs a copy, as the
    filter makes one.
    """
    hosts = [_topology(text) for text in fleet.reports(100, nodes)]
    guest, named = _nova_guest(2), NodeMap((nodes - 1, nodes - 2))
    ours, theirs = [], []
    for host in hosts:
        decide = functools.partial(fit.decide, host, guest, named, _LIMITS)
        ours.append(1e6 * _median(decide, 3))
        theirs.append(1e6 * _median(functools.partial(_nova, host, guest), 3))
    return Result(
        statistics.median(ours), 'us', "Nova's fit", statistics.median(theirs)
    )


def _nova(host: Any, guest: Any) -> Any:
    return hardware.numa_fit_instance_to_host(
        host, guest.obj_clone(), provider_mapping=None, limits=_LIMITS
    )


def _plan(hosts: list[Any]) -> float:
    guest = fleet.guest(4)
    return _seconds(lambda: [core.place(host, guest) for host in hosts])


def _novas_plan(parse: bool = False) -> tuple[str, float]:
    """What it is called and the seconds that it takes for the fleet."""
    texts = list(fleet.reports(_SAMPLE, 8))
    hosts = [_topology(text) for text in texts]
    guest = _nova_guest(4)

    def run() -> None:
        for text, host in zip(texts, hosts, strict=True):
            _nova(_topology(text) if parse else host, guest)

    name = f"Nova's fit of {_SAMPLE} hosts, times {_FLEET // _SAMPLE}"
    return name, _seconds(run) * _FLEET / _SAMPLE


def _topology(text: str) -> Any:
    return objects.NUMATopology.obj_from_db_obj(text)


def _nova_guest(count: int) -> Any:
    """fleet.guest as Nova has it."""
    return objects.InstanceNUMATopology(
        cells=[
            objects.InstanceNUMACell(
                id=number,
                cpuset=set(),
                pcpuset=set(cell.dedicated),
                memory=cell.memory,
                pagesize=cell.pages,
                cpu_policy=str(cell.policy),
                cpu_thread_policy=str(cell.threads),
            )
            for number, cell in enumerate(fleet.guest(count).cells)
        ]
    )


def _median(call: Callable[[], Any], times: int) -> float:
    return statistics.median(_seconds(call) for _ in range(times))


def _seconds(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Whatever is in it ends after a while."""

    def stop(*_: Any) -> None:
        raise _Stopped

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(_PATIENCE)
    try:
        with contextlib.suppress(_Stopped):
            yield
    finally:
        signal.alarm(0)


def _peak(whose: str, count: int) -> float:
    """MiB that a process has had at most, see ``memory``."""
    command = [sys.executable, '-m', 'benchmarks.memory', whose, str(count)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(run.stdout.splitlines()[-1])


def main() -> int:
    """The named ones, or all."""
    logging.disable(logging.CRITICAL)
    for name in sys.argv[1:] or ALL:
        result = ALL[name]()
        ratio = result.value / result.peer_value if result.peer_value else None
        line = {'name': name, **result._asdict(), 'ratio': ratio}
        print(json.dumps(line), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
