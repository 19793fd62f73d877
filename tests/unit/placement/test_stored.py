# SPDX-License-Identifier: Apache-2.0
"""A stored report read without Nova is the one that Nova reads."""

import functools
import random

import hypothesis
from hypothesis import strategies as st
import testtools

from benchmarks import cases
from nova_numa_migrate import fit
from nova_numa_migrate import hint
from nova_numa_migrate.placement import stored
from nova_numa_migrate.placement.reasons import Refused


def comparable(cell):
    """A node's fields, whatever kinds of sets and sequences they are."""
    names = type(cell).__slots__
    return {
        name: sorted(map(set, value))
        if name == 'siblings'
        else list(value)
        if name == 'pools'
        else value
        for name in names
        for value in [getattr(cell, name)]
    }


class StoredTestCase(testtools.TestCase):
    @hypothesis.given(st.integers(0, 10**6))
    def test_is_what_nova_reads(self, seed):
        host = cases.case(random.Random(seed), 3, False).host
        # As Nova stores it, with fields that were never set left out.
        del host.cells[0].mempages[:1]
        read = stored.Reader().cells(host._to_json())
        self.assertEqual(
            [comparable(fit._host_cell(cell)) for cell in host.cells],
            [comparable(cell) for cell in read],
        )

        self.assertEqual(
            [cell.id for cell in host.cells], stored.nodes(host._to_json())
        )

    @hypothesis.given(st.integers(0, 10**6), st.booleans())
    def test_is_decided_on_as_what_nova_reads(self, seed, named):
        case = cases.case(random.Random(seed), 3, False)
        node_map = None
        if named:
            nodes = [cell.id for cell in case.host.cells]
            node_map = hint.NodeMap(tuple(nodes[: len(case.guest.cells)]))
        decide = functools.partial(
            fit.decide_stored,
            stored.Reader().cells(case.host._to_json()),
        )
        found = decide(case.guest, node_map, case.limits)
        novas = fit.decide(case.host, case.guest, node_map, case.limits)
        self.assertEqual(type(novas), type(found))
        if isinstance(novas, Refused):
            self.assertEqual(novas.each('h', None), found.each('h', None))
        else:
            self.assertEqual(novas, found)

    def test_what_hosts_have_in_common_is_kept_once(self):
        host = cases.case(random.Random(1), 3, False).host
        reader = stored.Reader()
        text = host._to_json()
        first, second = reader.cells(text)[0], reader.cells(text)[0]
        self.assertIs(first.siblings, second.siblings)
        self.assertIs(first.pools, second.pools)

    def test_what_is_no_topology(self):
        reader = stored.Reader()
        self.assertRaises(ValueError, reader.cells, 'x')
        self.assertRaises(KeyError, reader.cells, '{"cells": []}')
