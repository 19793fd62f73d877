# SPDX-License-Identifier: Apache-2.0
"""What is true of every placement, whatever the host and the guest.

``test_fit`` and benchmarks.fuzz_placement hold the answers against Nova's
functions; here the core is held against itself.
"""

import dataclasses
import itertools

import hypothesis
from hypothesis import strategies as st
import testtools

from nova_numa_migrate import hint
from nova_numa_migrate.placement import cells
from nova_numa_migrate.placement import core
from nova_numa_migrate.placement import reasons

SIZES = (1048576, 2048, 4)
RATIOS = st.none() | st.builds(
    cells.Ratios, st.sampled_from([1.0, 4.0]), st.sampled_from([1.0, 1.5])
)


@st.composite
def nodes(draw, number):
    """A node of up to four cores, with some of it in use."""
    threads = draw(st.sampled_from([1, 2, 2, 4]))
    cpus = range(
        100 * number, 100 * number + threads * draw(st.integers(1, 4))
    )
    memory = draw(st.sampled_from([2048, 4096]))
    shared = draw(st.integers(1, 4))
    return cells.HostCell(
        node=number,
        shared_cpus=shared,
        shared_used=draw(st.integers(0, shared)),
        free_cpus=set(cpus) - draw(st.sets(st.sampled_from(cpus), max_size=2)),
        siblings=[
            set(cpus[first : first + threads])
            for first in range(0, len(cpus), threads)
        ],
        one_cpu_set=False,
        memory=memory,
        memory_used=draw(st.sampled_from([0, 0, 0, 1024, 2048])),
        pools=[
            cells.PagePool(
                size, total, total - draw(st.integers(0, total // 2))
            )
            for size in SIZES
            for total in [memory * 1024 // size]
        ],
    )


@st.composite
def guest_cells(draw, policy):
    shared = policy is not cells.CpuPolicy.DEDICATED
    pinned = policy is not cells.CpuPolicy.SHARED
    count = draw(st.integers(1, 3)) if pinned else 0
    return cells.GuestCell(
        memory=draw(st.sampled_from([512, 1024, 2048])),
        policy=policy,
        shared=draw(st.integers(1, 3)) if shared else 0,
        dedicated=frozenset(range(10, 10 + count)),
        threads=draw(st.none() | st.sampled_from(cells.ThreadPolicy))
        if pinned
        else None,
        pages=draw(
            st.none() | st.sampled_from(cells.Pages) | st.sampled_from(SIZES)
        ),
    )


@st.composite
def guests(draw):
    policy = draw(st.sampled_from(cells.CpuPolicy))
    count = draw(st.integers(1, 3))
    return cells.Guest(
        [draw(guest_cells(policy)) for _ in range(count)],
        emulator_isolated=draw(st.booleans()),
    )


@st.composite
def cases(draw):
    """A guest, and a host that has a node or two more than it has cells."""
    guest = draw(guests())
    count = len(guest.cells) + draw(st.sampled_from([1, 1, 0, 2, -1]))
    found = [draw(nodes(number)) for number in range(count)]
    return cells.Host(found, draw(RATIOS)), guest


def maps(host, guest):
    """Every node map that there is."""
    numbers = [cell.node for cell in host.cells]
    for chosen in itertools.permutations(numbers, len(guest.cells)):
        yield hint.NodeMap(chosen)


def fits(*args):
    return isinstance(core.place(*args), core.Fits)


class PropertiesTestCase(testtools.TestCase):
    @hypothesis.given(cases())
    def test_a_map_is_found_where_there_is_one_and_nowhere_else(self, case):
        host, guest = case
        some = any(fits(host, guest, one) for one in maps(host, guest))
        self.assertEqual(some, fits(host, guest))

    @hypothesis.given(cases())
    def test_what_was_found_fits_when_it_is_asked_for(self, case):
        host, guest = case
        found = core.place(host, guest)
        hypothesis.assume(isinstance(found, core.Fits))
        self.assertEqual(found, core.place(host, guest, found.node_map))

    @hypothesis.given(cases())
    def test_each_dedicated_vcpu_has_a_free_cpu_of_its_node(self, case):
        host, guest = case
        found = core.place(host, guest)
        hypothesis.assume(isinstance(found, core.Fits))
        by_node = {cell.node: cell for cell in host.cells}
        numbers = [placed.node for placed in found.cells]
        self.assertEqual(len(guest.cells), len(set(numbers)))
        for number, (cell, placed) in enumerate(
            zip(guest.cells, found.cells, strict=True)
        ):
            taken = [*placed.pinning.vcpus.values(), *placed.pinning.emulator]
            self.assertEqual(cell.dedicated, set(placed.pinning.vcpus))
            self.assertEqual(
                guest.reserved(number), len(placed.pinning.emulator)
            )
            self.assertEqual(len(taken), len(set(taken)))
            self.assertLessEqual(set(taken), by_node[placed.node].free_cpus)

    @hypothesis.given(cases())
    def test_a_refusal_says_why(self, case):
        host, guest = case
        for one in [None, *maps(host, guest)]:
            answer = core.place(host, guest, one)
            if isinstance(answer, reasons.Refused):
                self.assertNotEqual([], list(answer.reasons))
                self.assertIn('compute1', answer.of('compute1'))

    @hypothesis.given(cases(), st.randoms())
    def test_the_order_of_the_nodes_does_not_matter(self, case, rng):
        host, guest = case
        shuffled = list(host.cells)
        rng.shuffle(shuffled)
        other = dataclasses.replace(host, cells=shuffled)
        self.assertEqual(fits(host, guest), fits(other, guest))
        for one in maps(host, guest):
            self.assertEqual(
                core.place(host, guest, one), core.place(other, guest, one)
            )

    @hypothesis.given(cases(), st.data())
    def test_more_free_memory_never_makes_a_yes_a_no(self, case, data):
        host, guest = case
        richer = [
            dataclasses.replace(
                cell,
                memory_used=data.draw(st.integers(0, cell.memory_used)),
                shared_used=data.draw(st.integers(0, cell.shared_used)),
                pools=[
                    pool._replace(
                        free=data.draw(st.integers(pool.free, pool.total))
                    )
                    for pool in cell.pools
                ],
            )
            for cell in host.cells
        ]
        if fits(host, guest):
            self.assertTrue(fits(cells.Host(richer, host.ratios), guest))
