# SPDX-License-Identifier: Apache-2.0
"""Which hosts have the nodes, and what is said when none has."""

import ddt
import hypothesis
from hypothesis import strategies as st
import testtools

from nova_numa_migrate import exception
from nova_numa_migrate import hint
from nova_numa_migrate.placement import hosts


def report(host='compute2', nodes=range(4), has_plugin=True):
    return hosts.HostReport(host, frozenset(nodes), has_plugin)


@ddt.ddt
class RefusalTestCase(testtools.TestCase):
    @ddt.data((0,), (3,), (3, 2), (0, 1, 2, 3))
    def test_none(self, nodes):
        self.assertIsNone(report().refusal(hint.NodeMap(nodes)))

    @ddt.data(
        ((7,), range(4), '7 (it has 0-3)'),
        ((7, 1, 5, 6), range(4), '5-7 (it has 0-3)'),
        ((1, 3), {0, 2, 4, 5}, '1,3 (it has 0,2,4-5)'),
        ((0,), (), '0 (it has none)'),
        ((4,), {0}, '4 (it has 0)'),
    )
    @ddt.unpack
    def test_missing_nodes(self, named, has, text):
        self.assertEqual(
            f'host compute2 has no NUMA node {text}',
            report(nodes=has).refusal(hint.NodeMap(named)),
        )

    def test_no_plugin(self):
        self.assertEqual(
            'host compute2 does not run nova-numa-compute',
            report(has_plugin=False).refusal(hint.NodeMap((1,))),
        )


class CheckExistsTestCase(testtools.TestCase):
    def refusal(self, found, nodes=(7,)):
        error = self.assertRaises(
            exception.NodeNotFound,
            hosts.check_exists,
            hint.NodeMap(nodes),
            found,
        )
        return str(error)

    def test_one_that_can_is_enough(self):
        found = iter([report('a', {0}), report('b'), report('c')])
        hosts.check_exists(hint.NodeMap((3,)), found)
        self.assertEqual('c', next(found).host)

    def test_no_host_at_all(self):
        self.assertEqual('there is no other compute host', self.refusal([]))

    def test_every_host_with_its_own_reason(self):
        self.assertEqual(
            'host a has no NUMA node 7 (it has 0-3); '
            'host b does not run nova-numa-compute',
            self.refusal([report('a'), report('b', has_plugin=False)]),
        )

    def test_nodes_of_two_hosts_are_not_added_up(self):
        self.refusal([report('a', {0}), report('b', {1})], (0, 1))

    def test_eight_hosts_are_all_named(self):
        text = self.refusal(report(f'host{n}') for n in range(8))
        self.assertIn('host7', text)
        self.assertNotIn('more', text)

    def test_of_more_hosts_the_rest_is_counted(self):
        text = self.refusal(report(f'host{n}') for n in range(11))
        self.assertIn('host7', text)
        self.assertNotIn('host8', text)
        self.assertTrue(text.endswith('; and 3 more hosts'), text)


@ddt.ddt
class RangesTestCase(testtools.TestCase):
    @ddt.data(
        ((), 'none'),
        ((5,), '5'),
        ((0, 1), '0-1'),
        ((3, 1, 2, 7, 9, 8, 0), '0-3,7-9'),
        ((0, 2, 4), '0,2,4'),
    )
    @ddt.unpack
    def test_text(self, numbers, text):
        self.assertEqual(text, hosts.ranges(numbers))

    @hypothesis.given(st.frozensets(st.integers(0, 1023), min_size=1))
    def test_the_text_names_exactly_the_numbers(self, numbers):
        named = []
        for run in hosts.ranges(numbers).split(','):
            first, _, last = run.partition('-')
            named += range(int(first), int(last or first) + 1)
        self.assertEqual(sorted(numbers), named)
