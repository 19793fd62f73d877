# SPDX-License-Identifier: Apache-2.0
"""The grammar of the hints."""

import ddt
import hypothesis
from hypothesis import strategies as st
import testtools

from nova_numa_migrate import hint
from tests.unit import hint_fuzz

maps = st.lists(
    st.integers(0, hint.MAX_ID), min_size=1, max_size=64, unique=True
)
# What a random text is made of has to come near the grammar to test it.
texts = st.one_of(
    st.text(max_size=40),
    st.text(alphabet='0123456789,: -+x\n٣߃', max_size=40),
    st.lists(
        st.sampled_from(['0', '1', '2', '0:1', '1:0', '1024', '', '-1', '0:']),
        max_size=5,
    ).map(','.join),
)
thorough = hypothesis.settings(max_examples=1000)
# The errors below end in the forms, which every one of them has to show.
FORMS = f'; {hint.FORMS}'


def refusal(text):
    """The message with which a text is refused."""
    try:
        hint.NodeMap.parse(text)
    except hint.InvalidHint as error:
        return str(error)
    raise AssertionError(f'{text!r} was accepted')


@ddt.ddt
class FormsTestCase(testtools.TestCase):
    @ddt.data(
        ('0', (0,)),
        ('1023', (1023,)),
        ('0007', (7,)),
        ('3,2', (3, 2)),
        ('2,3', (2, 3)),
        ('0:3', (3,)),
        ('0:3,1:2', (3, 2)),
        ('1:2,0:3', (3, 2)),
        ('2:0,0:1023,1:5', (1023, 5, 0)),
        (['1'], (1,)),
        (['3', '2'], (3, 2)),
        (('1:2', '0:3'), (3, 2)),
        (['3,2', '1'], (3, 2, 1)),
    )
    @ddt.unpack
    def test_accepted(self, text, nodes):
        self.assertEqual(nodes, hint.NodeMap.parse(text).nodes)

    @ddt.data(
        '',
        ' ',
        ',',
        '1,',
        ',1',
        '1,,2',
        '1 ',
        ' 1',
        '1, 2',
        '1\n',
        '\n1',
        '0:1\n',
        '+1',
        '-1',
        '1.0',
        '0x1',
        '1e1',
        '00001',
        '12345',
        '1-2',
        '1;2',
        ':1',
        '1:',
        '0::1',
        '0:1:2',
        '٣',
        '߃',
        '²',
        '\uff11',
        'None',
        '"1"',
        '1\x00',
    )
    def test_not_a_node(self, text):
        offending = next(
            item
            for item in text.split(',')
            if not (item.isascii() and item.isdigit() and len(item) < 5)
        )
        self.assertEqual(
            f'Invalid numa_node "{text}": "{offending}" is not a node{FORMS}',
            refusal(text),
        )

    def test_an_empty_list_is_an_empty_text(self):
        self.assertEqual(refusal(''), refusal([]))

    @ddt.data(('1024', 1024), ('9999', 9999), ('0,1024', 1024))
    @ddt.unpack
    def test_out_of_range(self, text, number):
        self.assertEqual(
            f'Invalid numa_node "{text}": {number} is out of range{FORMS}',
            refusal(text),
        )

    def test_a_cell_out_of_range(self):
        self.assertEqual(
            f'Invalid numa_node "1024:0": 1024 is out of range{FORMS}',
            refusal('1024:0'),
        )

    @ddt.data('0:1,2', '2,0:1')
    def test_mixed(self, text):
        self.assertEqual(
            f'Invalid numa_node "{text}": nodes and cell:node pairs are '
            f'mixed{FORMS}',
            refusal(text),
        )

    @ddt.data('0:1,0:2', '0:1,2:3', '1:0,2:1', '0:1,1:2,1:3')
    def test_cells_not_named_once_each(self, text):
        self.assertEqual(
            f'Invalid numa_node "{text}": each guest cell from 0 to '
            f'{text.count(",")} must be named exactly once{FORMS}',
            refusal(text),
        )

    @ddt.data(('1,1', 1), ('0,5,7,5', 5), ('0:3,1:3', 3), ('01,1', 1))
    @ddt.unpack
    def test_a_node_twice(self, text, node):
        self.assertEqual(
            f'Invalid numa_node "{text}": host node {node} is named for two '
            f'guest cells, but the placement is one to one{FORMS}',
            refusal(text),
        )

    def test_the_forms_shown_are_accepted(self):
        self.assertIn('"1"', hint.FORMS)
        self.assertIn('"3,2"', hint.FORMS)
        self.assertIn('"0:3,1:2"', hint.FORMS)
        self.assertIn('0 to 1023', hint.FORMS)

    def test_the_positional_form_is_what_is_stored(self):
        self.assertEqual('3,2', str(hint.NodeMap.parse('1:2,0:3')))


class BoundsTestCase(testtools.TestCase):
    def test_a_huge_text_is_shown_in_part(self):
        message = refusal('x' * 16384)
        self.assertIn('x' * 64 + '..."', message)
        self.assertNotIn('x' * 65, message)

    def test_64_characters_are_shown_in_full(self):
        text = 'x' * 64
        self.assertIn(f'"{text}" is not a node', refusal(text))

    def test_all_nodes_of_the_largest_host(self):
        text = ','.join(str(node) for node in range(1024))
        self.assertEqual(text, str(hint.NodeMap.parse(text)))

    def test_a_wrong_count_of_a_huge_map_is_shown_in_part(self):
        nodes = hint.NodeMap(tuple(range(1024)))
        error = self.assertRaises(hint.InvalidHint, nodes.check_cells, 2)
        self.assertLess(len(str(error)), 300)
        self.assertIn('it names 1024 host node(s)', str(error))


class CellsTestCase(testtools.TestCase):
    def test_one_node_for_each_cell(self):
        hint.NodeMap((3, 2)).check_cells(2)

    def test_too_few_and_too_many(self):
        for count in (1, 3):
            error = self.assertRaises(
                hint.InvalidHint, hint.NodeMap((3, 2)).check_cells, count
            )
            self.assertEqual(
                'Invalid numa_node "3,2": it names 2 host node(s), but the '
                f'guest has {count} NUMA cell(s); name exactly one node for '
                'each guest cell',
                str(error),
            )


@ddt.ddt
class CheckpointModeTestCase(testtools.TestCase):
    @ddt.data('required', 'preferred', 'never')
    def test_accepted(self, text):
        self.assertEqual(text, hint.CheckpointMode.parse(text))

    @ddt.data('', 'Required', 'required ', 'never\n', 'optional')
    def test_refused(self, text):
        error = self.assertRaises(
            hint.InvalidHint, hint.CheckpointMode.parse, text
        )
        self.assertEqual(
            f'Invalid numa_checkpoint "{text}": accepted are required, '
            'preferred, never',
            str(error),
        )

    def test_a_huge_text_is_shown_in_part(self):
        error = self.assertRaises(
            hint.InvalidHint, hint.CheckpointMode.parse, 'x' * 16384
        )
        self.assertLess(len(str(error)), 200)


class PropertiesTestCase(testtools.TestCase):
    @thorough
    @hypothesis.given(maps)
    def test_what_is_stored_reads_back(self, nodes):
        node_map = hint.NodeMap(tuple(nodes))
        self.assertEqual(node_map, hint.NodeMap.parse(str(node_map)))

    @thorough
    @hypothesis.given(maps, st.randoms())
    def test_pairs_in_any_order_mean_the_same(self, nodes, random):
        pairs = [f'{cell}:{node}' for cell, node in enumerate(nodes)]
        random.shuffle(pairs)
        node_map = hint.NodeMap(tuple(nodes))
        self.assertEqual(node_map, hint.NodeMap.parse(','.join(pairs)))
        self.assertEqual(node_map, hint.NodeMap.parse(pairs))

    @thorough
    @hypothesis.given(texts)
    def test_any_text_is_one_to_one_or_refused(self, text):
        try:
            nodes = hint.NodeMap.parse(text).nodes
        except hint.InvalidHint as error:
            self.assertTrue(str(error).endswith(hint.FORMS))
            self.assertLess(len(str(error)), 500)
        else:
            self.assertEqual(text.count(',') + 1, len(nodes))
            self.assertEqual(len(nodes), len(set(nodes)))
            self.assertEqual(set(), set(nodes) - set(range(1024)))
            self.assertTrue(text.isascii())

    def test_what_is_nearly_right_is_what_the_grammar_says(self):
        found = set(map(hint_fuzz.outcome, hint_fuzz.hints(3000, 1)))
        self.assertEqual({'accepted', 'refused'}, found)
