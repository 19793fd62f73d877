# SPDX-License-Identifier: Apache-2.0
"""The journal: whole or not there, and readable by its owner alone."""

import json
import os
import pathlib
import stat
from unittest import mock

import ddt
import fixtures
import testtools

from nova_numa_migrate.checkpoint import journal

OLD = journal.Journal('m1', journal.Step.SAVING)
NEW = journal.Journal('m1', journal.Step.SAVED, 'digest')


class PowerLoss(BaseException):
    """Nothing after it happens."""


@ddt.ddt
class JournalTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.path = self.root / 'u.json'

    @ddt.data(*journal.Step)
    def test_what_is_written_reads_back(self, step):
        written = journal.Journal('m1', step, 'digest')
        written.write(self.path)
        self.assertEqual(written, journal.Journal.read(self.path))

    def test_none(self):
        self.assertIsNone(journal.Journal.read(self.path))

    def test_nothing_but_the_journal_is_left(self):
        OLD.write(self.path)
        NEW.write(self.path)
        self.assertEqual(['u.json'], os.listdir(self.root))

    def test_a_crash_before_the_rename_leaves_the_old_one(self):
        OLD.write(self.path)
        with mock.patch.object(
            os, 'rename', autospec=True, side_effect=PowerLoss
        ):
            self.assertRaises(PowerLoss, NEW.write, self.path)
        self.assertEqual(OLD, journal.Journal.read(self.path))
        NEW.write(self.path)
        self.assertEqual(NEW, journal.Journal.read(self.path))

    def test_a_full_disk_leaves_the_old_one(self):
        OLD.write(self.path)
        with mock.patch.object(
            os, 'fsync', autospec=True, side_effect=OSError(28, 'No space')
        ):
            self.assertRaises(OSError, NEW.write, self.path)
        self.assertEqual(OLD, journal.Journal.read(self.path))
        journal.Journal.remove(self.path)
        self.assertEqual([], os.listdir(self.root))

    def test_it_is_on_the_disk_before_the_rename_and_the_rename_after(self):
        done = []
        sync, rename = os.fsync, os.rename

        def fsync(descriptor):
            mode = os.fstat(descriptor).st_mode
            done.append('directory' if stat.S_ISDIR(mode) else 'file')
            sync(descriptor)

        def renamed(path, target):
            done.append('rename')
            rename(path, target)

        with (
            mock.patch.object(os, 'fsync', autospec=True, side_effect=fsync),
            mock.patch.object(
                os, 'rename', autospec=True, side_effect=renamed
            ),
        ):
            NEW.write(self.path)
        self.assertEqual(['file', 'rename', 'directory'], done)

    def test_private_from_the_first_byte_whatever_the_umask(self):
        modes = []
        dump = json.dump

        def seen(stored, stream):
            modes.append(stat.S_IMODE(os.fstat(stream.fileno()).st_mode))
            dump(stored, stream)

        self.addCleanup(os.umask, os.umask(0))
        with mock.patch.object(json, 'dump', autospec=True, side_effect=seen):
            NEW.write(self.path)
        modes.append(stat.S_IMODE(self.path.stat().st_mode))
        self.assertEqual([0o600, 0o600], modes)

    @ddt.data(
        '',
        'x',
        '{}',
        '[]',
        'null',
        '7',
        '{"migration": "m", "step": "saved"}',
        '{"migration": "m", "step": "eaten", "digest": ""}',
        '{"migration": "m", "step": "saved", "digest": null}',
        '{"migration": "m", "step": "saved", "digest": 1}',
        '{"migration": null, "step": "saved", "digest": ""}',
        '{"migration": "m", "step": ["saved"], "digest": ""}',
        '{"migration": "m", "step": "saved", "digest": "',
        '\0\0\0\0',
    )
    def test_garbage_is_a_value_error(self, text):
        self.path.write_text(text)
        self.assertRaises(ValueError, journal.Journal.read, self.path)

    def test_bytes_that_are_no_text_are_a_value_error(self):
        self.path.write_bytes(b'\xff\xfe')
        self.assertRaises(ValueError, journal.Journal.read, self.path)
