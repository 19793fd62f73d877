# SPDX-License-Identifier: Apache-2.0
"""The digest of a checkpoint tells every change of it."""

import hashlib
import pathlib
from unittest import mock

import ddt
import fixtures
import testtools

from nova_numa_migrate.checkpoint import digest


def expected(data, chunk):
    """The same by the words of the module, over the whole data at once."""
    parts = [data[at : at + chunk] for at in range(0, len(data), chunk)]
    total = b''.join(
        hashlib.blake2b(part, digest_size=32).digest() for part in parts
    )
    return 'blake2b-64m:' + hashlib.blake2b(total, digest_size=32).hexdigest()


@ddt.ddt
class DigestTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.path = root / 'u.save'

    def of(self, data):
        self.path.write_bytes(data)
        return digest.of_file(self.path)

    # Empty, within, at and beyond the bounds of blocks and of chunks.
    @ddt.data(0, 1, 15, 16, 17, 63, 64, 65, 128, 1000)
    def test_is_that_of_the_chunks(self, size):
        data = bytes(at % 251 for at in range(size))
        with (
            mock.patch.object(digest, 'CHUNK', 64),
            mock.patch.object(digest, '_BLOCK', 16),
        ):
            self.assertEqual(expected(data, 64), self.of(data))

    def test_with_the_true_sizes(self):
        self.assertEqual(expected(b'memory', digest.CHUNK), self.of(b'memory'))

    def test_the_same_file_passes(self):
        digest.require(self.path, self.of(b'memory'))

    @ddt.data(b'', b'memor', b'memorz', b'memory\0')
    def test_another_one_does_not(self, data):
        taken = self.of(b'memory')
        self.path.write_bytes(data)
        error = self.assertRaises(
            digest.Damaged, digest.require, self.path, taken
        )
        for words in (str(self.path), taken, f'({len(data)} bytes)'):
            self.assertIn(words, str(error))
