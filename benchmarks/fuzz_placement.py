# SPDX-License-Identifier: Apache-2.0
"""Our decisions, and Nova's, held against trying every map.

    python -m benchmarks.fuzz_placement [--cases 3000] [--seed 1]

So many random cases each for guests of 2, 3 and 4 cells, alike and not, with
all policies and page sizes. Of ours every answer without a map, and some with
one, is compared with the truth; each pinning is booked, and every reason is
found out anew. Prints a line of counts for each kind, and exits with 1 if any
answer of ours was wrong.
"""

from __future__ import annotations

import argparse
import collections
import json
import logging
import random
import sys
from typing import Any

from nova import exception
from nova.virt import hardware

from benchmarks import cases
from benchmarks.oracle import Oracle
from benchmarks.reasons import is_true
from nova_numa_migrate import fit
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.placement import core
from nova_numa_migrate.placement.reasons import Refused

#: Maps of a case that are asked for by name.
_MAPS = 3

Counts = collections.Counter[str]


def answer(case: cases.Case, node_map: NodeMap | None) -> core.Fits | Refused:
    """Ours, of one case."""
    return fit.decide(
        case.host,
        case.guest,
        node_map,
        case.limits,
        fit.PciDevices.of(case.requests, case.stats, None),
    )


def faults(oracle: Oracle, node_map: NodeMap | None) -> tuple[bool, list[str]]:
    """Our answer to one question, and what is wrong with it."""
    case = oracle.case
    ours = answer(case, node_map)
    if isinstance(ours, Refused):
        return False, list(_faults_of_no(oracle, ours, node_map))
    return True, list(_faults_of_yes(oracle, ours, node_map))


def _faults_of_no(
    oracle: Oracle, ours: Refused, node_map: NodeMap | None
) -> Any:
    nodes = node_map.nodes if node_map else ()
    fits = oracle.fits(nodes) if node_map else oracle.some_map_fits()
    if fits:
        yield f'no, but it fits: {ours}'
    if not ours.reasons:
        yield 'no, without a reason'
    for reason in ours.reasons:
        if not is_true(oracle, reason, nodes):
            yield f'untrue: {reason!r}'


def _faults_of_yes(
    oracle: Oracle, ours: core.Fits, node_map: NodeMap | None
) -> Any:
    if node_map not in (None, ours.node_map):
        yield f'another map: {ours}'
    if not oracle.fits(ours.node_map.nodes):
        yield f'yes, but it does not fit: {ours}'
        return
    claimed = fit.claimed(oracle.case.guest, ours)
    if not oracle.can_book(claimed.cells):
        yield f'cannot be booked: {claimed}'
    for number, cell in enumerate(claimed.cells):
        novas: Any = oracle.fitted(number, cell.id)
        for field in ('pagesize', 'cpu_pinning'):
            if getattr(cell, field) != getattr(novas, field):
                yield f'{field} is not as Nova has it: {cell}, {novas}'
        if len(cell.cpuset_reserved or ()) != len(novas.cpuset_reserved or ()):
            yield f'cpuset_reserved is not as Nova has it: {cell}, {novas}'


def novas_fault(oracle: Oracle) -> str | None:
    """What is wrong with Nova's own answer, None if it is right."""
    case = oracle.case
    fitted = hardware.numa_fit_instance_to_host(
        case.host.obj_clone(),
        case.guest.obj_clone(),
        provider_mapping=None,
        limits=case.limits,
        pci_requests=case.requests and case.requests.requests,
        pci_stats=case.stats,
    )
    if fitted is None:
        return 'nova false no' if oracle.some_map_fits() else None
    if not oracle.fits([cell.id for cell in fitted.cells]):
        return 'nova false yes'
    pinned = all(bool(c.cpu_pinning) == bool(c.pcpuset) for c in fitted.cells)
    try:
        booked = oracle.can_book(fitted.cells)
    except exception.NovaException:
        booked = False
    return None if pinned and booked else 'nova wrong pins'


def run(cells: int, symmetric: bool, count: int, seed: int) -> Counts:
    """So many cases of a kind; the wrong answers are printed."""
    counts: Counts = collections.Counter()
    for number in range(count):
        # Not a secret: the same cases for the same seed.
        name = f'{seed} {number} {cells} {symmetric}'
        rng = random.Random(name)  # noqa: S311
        oracle = Oracle(cases.case(rng, cells, symmetric))
        maps = list(oracle.maps())
        asked = [NodeMap(m) for m in rng.sample(maps, min(_MAPS, len(maps)))]
        for node_map in (None, *asked):
            fits, wrong = faults(oracle, node_map)
            kind = 'maps' if node_map else 'cases'
            counts[f'{kind} {"yes" if fits else "no"}'] += 1
            counts['wrong'] += bool(wrong)
            for text in wrong:
                print(f'seed {seed}, case {number}: {text}', file=sys.stderr)
        counts[novas_fault(oracle) or 'nova right'] += 1
    return counts


def main() -> int:
    """Every kind; the exit code tells whether any answer was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cases', type=int, default=3000)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    wrong = 0
    for cells in (2, 3, 4):
        for symmetric in (True, False):
            counts = run(cells, symmetric, options.cases, options.seed)
            wrong += counts['wrong']
            head = {'cells': cells, 'symmetric': symmetric}
            print(json.dumps({**head, **dict(sorted(counts.items()))}))
    return bool(wrong)


if __name__ == '__main__':
    sys.exit(main())
