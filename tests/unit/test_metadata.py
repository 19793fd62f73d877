# SPDX-License-Identifier: Apache-2.0
"""Texts longer than a value of system metadata."""

import hypothesis
from hypothesis import strategies as st
import testtools

from nova_numa_migrate import metadata

texts = st.integers(1, 1100).map(
    lambda length: ''.join(chr(97 + n % 26) for n in range(length))
)


class MetadataTestCase(testtools.TestCase):
    def test_a_short_text_is_one_value(self):
        stored = {}
        metadata.put(stored, 'k', 'x' * 255)
        self.assertEqual({'k': 'x' * 255}, stored)

    def test_a_long_text_goes_on_under_further_keys(self):
        stored = {}
        metadata.put(stored, 'k', 'x' * 255 + 'y' * 255 + 'z')
        self.assertEqual(
            {'k': 'x' * 255, 'k.1': 'y' * 255, 'k.2': 'z'}, stored
        )

    def test_nothing_is_none(self):
        self.assertIsNone(metadata.get({'other': 'x', 'k.1': 'y'}, 'k'))
        self.assertIsNone(metadata.get({'k': ''}, 'k'))

    @hypothesis.given(texts)
    def test_what_was_put_can_be_taken_away(self, text):
        stored = {'kk': 'mine'}
        metadata.put(stored, 'k', text)
        metadata.remove(stored, 'k')
        self.assertEqual({'kk': 'mine'}, stored)
        metadata.remove(stored, 'k')

    @hypothesis.given(texts, texts)
    def test_the_last_text_reads_back_and_nothing_else_is_touched(
        self, first, second
    ):
        stored = {'kk': 'mine', 'k_1': 'mine'}
        metadata.put(stored, 'k', first)
        metadata.put(stored, 'k', second)
        self.assertEqual(second, metadata.get(stored, 'k'))
        self.assertLessEqual(max(map(len, stored.values())), 255)
        self.assertEqual(
            {'kk', 'k_1'}, {k for k, v in stored.items() if v == 'mine'}
        )
