# SPDX-License-Identifier: Apache-2.0
"""Matchings against trying them all, and what stands in their way."""

import itertools

import hypothesis
from hypothesis import strategies as st
import testtools

from nova_numa_migrate.placement import matching


@st.composite
def tables(draw, spare=True):
    """Rows that fit on columns or not; no more rows than columns."""
    rows = draw(st.integers(1, 5))
    columns = rows + (draw(st.integers(0, 2)) if spare else 0)
    row = st.lists(st.booleans(), min_size=columns, max_size=columns)
    return draw(st.lists(row, min_size=rows, max_size=rows))


def all_matches(fits):
    for columns in itertools.permutations(range(len(fits[0])), len(fits)):
        if all(row[c] for row, c in zip(fits, columns, strict=True)):
            yield columns


class MatchingTestCase(testtools.TestCase):
    @hypothesis.given(tables(), st.frozensets(st.integers(0, 6)))
    def test_as_many_of_the_wanted_as_any_has(self, fits, wanted):
        found = matching.match(fits, wanted)
        known = set(all_matches(fits))
        if found is None:
            self.assertEqual(set(), known)
            return
        self.assertIn(tuple(found), known)
        most = max(len(wanted & set(columns)) for columns in known)
        self.assertEqual(most, len(wanted & set(found)))

    @hypothesis.given(tables())
    def test_an_obstacle_wherever_there_is_no_match(self, fits):
        found = matching.obstacle(fits)
        if found is None:
            self.assertIsNotNone(matching.match(fits))
            return
        rows, columns = found
        self.assertGreater(len(rows), len(columns))
        reached = {c for row in rows for c, fit in enumerate(fits[row]) if fit}
        self.assertEqual(reached, columns)

    def test_the_first_columns(self):
        self.assertEqual([1, 0], matching.match([[0, 1, 1], [1, 1, 1]]))
        self.assertEqual([2, 0], matching.match([[0, 1, 1], [1, 1, 1]], {2}))
