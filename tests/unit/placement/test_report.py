# SPDX-License-Identifier: Apache-2.0
"""A cell's measured placement, as told and as kept."""

import ddt
import hypothesis
from hypothesis import strategies as st
import testtools

from nova_numa_migrate.placement import report


@ddt.ddt
class CellPlacementTestCase(testtools.TestCase):
    @ddt.data(
        ({3: 8}, 1.0, 'cell 1 on node 3: 100.0% (N3=8)'),
        ({0: 1, 3: 3}, 0.75, 'cell 1 on node 3: 75.0% (N0=1, N3=3)'),
        ({3: 3, 0: 1}, 0.75, 'cell 1 on node 3: 75.0% (N0=1, N3=3)'),
        ({0: 8}, 0.0, 'cell 1 on node 3: 0.0% (N0=8)'),
        ({}, 1.0, 'cell 1 on node 3: 100.0% (no pages)'),
        ({3: 0}, 1.0, 'cell 1 on node 3: 100.0% (N3=0)'),
    )
    @ddt.unpack
    def test_share(self, pages, share, text):
        placement = report.CellPlacement(1, 3, pages)
        self.assertEqual(share, placement.share)
        self.assertEqual(text, str(placement))

    def test_each_cell_has_its_own_place(self):
        cells = [report.CellPlacement(c, c + 1, {c: 5}) for c in range(12)]
        metadata = {}
        for cell in cells:
            cell.store(metadata)
        self.assertEqual(12, len(metadata))
        self.assertEqual(
            cells, [report.CellPlacement.of(metadata, c) for c in range(12)]
        )

    def test_what_is_not_stored_is_none(self):
        self.assertIsNone(report.CellPlacement.of({}, 0))
        metadata = {}
        report.CellPlacement(1, 3, {}).store(metadata)
        self.assertIsNone(report.CellPlacement.of(metadata, 0))

    @hypothesis.given(
        st.dictionaries(
            st.integers(0, 1023), st.integers(0, 2**34), max_size=100
        ),
        st.integers(0, 127),
        st.integers(0, 1023),
    )
    def test_what_is_stored_reads_back_and_fits(self, pages, cell, node):
        metadata = {}
        placement = report.CellPlacement(cell, node, pages)
        placement.store(metadata)
        self.assertEqual(placement, report.CellPlacement.of(metadata, cell))
        self.assertLessEqual(max(map(len, metadata.values())), 255)
        self.assertLessEqual(max(map(len, metadata)), 255)
