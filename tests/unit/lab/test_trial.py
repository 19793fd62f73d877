# SPDX-License-Identifier: Apache-2.0
"""What a trial claims is untrue where it is."""

from unittest import mock

import testtools

from lab.damage import books
from lab.frame import errors
from lab.proof import memory
from lab.proof import moves
from lab.proof import servers
from lab.proof import verdict as lab_verdict
from lab.trial import disks
from lab.trial import guests
from lab.trial import ledger
from lab.trial import pages
from lab.trial import short_node
from lab.trial import table

_MIB = 1 << 20
_BOOT = "192c0e28-825d-473a-bc37-3a5ffbdee16b"


class PagesTest(testtools.TestCase):
    """Two cells of one size, and what the kernel tells of them."""

    def claimed(self, policies, pinning, nodes="3,2"):
        """What is untrue of a guest whose ranges are bound so."""
        areas = tuple(
            memory.Area(64 * _MIB, policy, found) for policy, found in policies
        )
        guest = mock.create_autospec(guests.Guest, instance=True)
        guest.name, guest.domain = "guest", "instance-1"
        guest.server = mock.create_autospec(servers.Server, instance=True)
        guest.server.cells.return_value = [
            servers.Cell(64, 3, {0: 7}),
            servers.Cell(64, 2, {}),
        ]
        stage = mock.create_autospec(moves.Stage, instance=True)
        stage.steps = mock.MagicMock()
        stage.verdict = lab_verdict.Verdict()
        host = mock.MagicMock()
        with mock.patch.object(memory, "measure", autospec=True) as measure:
            measure.return_value = memory.Measured(areas, pinning)
            pages.claim(stage, guest, host, nodes)
        return stage.verdict.untrue

    def test_where_they_ought_to_be(self):
        untrue = self.claimed(
            [("bind:2", {2: 9}), ("bind:3", {3: 9}), ("default", {0: 1})],
            {0: "7", 1: "4"},
        )
        self.assertEqual((), untrue)

    def test_a_page_elsewhere(self):
        [untrue] = self.claimed(
            [("bind:2", {2: 9, 1: 1}), ("bind:3", {3: 9})], {0: "7", 1: "4"}
        )
        self.assertIn("N1=1 N2=9", untrue)

    def test_a_range_that_is_not_bound(self):
        [untrue] = self.claimed(
            [("default", {2: 9}), ("bind:3", {3: 9})], {0: "7", 1: "4"}
        )
        self.assertIn("all pages", untrue)

    def test_a_cpu_that_is_not_its_own(self):
        [untrue] = self.claimed(
            [("bind:2", {2: 9}), ("bind:3", {3: 9})], {0: "7", 1: "4-5"}
        )
        self.assertIn("4-5", untrue)

    def test_other_nodes_than_asked(self):
        [untrue] = self.claimed(
            [("bind:2", {2: 9}), ("bind:3", {3: 9})],
            {0: "7", 1: "4"},
            nodes="2,3",
        )
        self.assertIn("[2, 3] are claimed: [3, 2]", untrue)


class BarePagesTest(testtools.TestCase):
    """A guest without a NUMA topology, over two nodes."""

    def claimed(self, policy, found, pinning):
        guest = mock.create_autospec(guests.Guest, instance=True)
        guest.name, guest.domain = "guest", "instance-1"
        guest.server = mock.create_autospec(servers.Server, instance=True)
        guest.server.cells.return_value = []
        guest.show.return_value = {"flavor": {"ram": 128, "vcpus": 2}}
        stage = mock.create_autospec(moves.Stage, instance=True)
        stage.steps = mock.MagicMock()
        stage.verdict = lab_verdict.Verdict()
        with mock.patch.object(memory, "measure", autospec=True) as measure:
            measure.return_value = memory.Measured(
                (memory.Area(128 * _MIB, policy, found),), pinning
            )
            pages.claim(stage, guest, mock.MagicMock(), "3,1")
        return stage.verdict.untrue

    def test_in_equal_shares(self):
        untrue = self.claimed(
            "interleave:1,3", {1: 49, 3: 51}, {0: "6", 1: "2"}
        )
        self.assertEqual((), untrue)

    def test_in_other_shares(self):
        [untrue] = self.claimed(
            "interleave:1,3", {1: 40, 3: 60}, {0: "6", 1: "2"}
        )
        self.assertIn("in equal shares", untrue)

    def test_a_page_elsewhere(self):
        [untrue] = self.claimed(
            "interleave:1,3", {1: 49, 3: 50, 0: 1}, {0: "6", 1: "2"}
        )
        self.assertIn("in equal shares", untrue)

    def test_cpus_of_the_other_node(self):
        [untrue] = self.claimed(
            "interleave:1,3", {1: 50, 3: 50}, {0: "2", 1: "6"}
        )
        self.assertIn("virtual CPUs", untrue)


class LedgerTest(testtools.TestCase):
    def test_old_and_new_cells_on_one_node_add_up(self):
        old = [servers.Cell(72, 0, {0: 1}), servers.Cell(56, 1, {1: 3})]
        new = [servers.Cell(72, 1, {0: 2}), servers.Cell(56, 3, {})]
        self.assertEqual(
            {
                0: books.Use(frozenset({1}), 72),
                1: books.Use(frozenset({2, 3}), 56 + 72),
                3: books.Use(frozenset(), 56),
            },
            ledger.of(old, new),
        )


class DisksTest(testtools.TestCase):
    def test_records(self):
        text = "".join(f"{_BOOT:36} {n:10}\n" for n in (1, 2))
        self.assertEqual(((_BOOT, 1), (_BOOT, 2)), disks.records(text))

    def test_half_a_record(self):
        self.assertRaises(
            errors.LabError, disks.records, f"{_BOOT:36} {1:10}\n{_BOOT}"
        )


class ShortNodeTest(testtools.TestCase):
    def test_the_numbers_of_a_refusal(self):
        found = short_node.WORDS.search(
            "Host host2 cannot take the guest: node 1 has 71 MiB free now in "
            "pages of 4 KiB, 0 MiB of them promised to guests on their way "
            "and 128 MiB to stay free; the guest needs 96 MiB"
        )
        self.assertEqual(
            {"node": "1", "free": "71", "margin": "128", "needs": "96"},
            found.groupdict(),
        )


class TableTest(testtools.TestCase):
    def test_each_says_what_it_shows(self):
        for name, trial in table.TRIALS.items():
            self.assertNotEqual("", table.what(trial), name)

    def test_a_name_that_is_none(self):
        error = self.assertRaises(KeyError, table.select, ["same-hose"])
        self.assertEqual(("same-hose",), error.args)
