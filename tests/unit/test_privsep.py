# SPDX-License-Identifier: Apache-2.0
"""What is done as root, on real files and refused ones."""

import os
import pathlib
import stat
import subprocess
import sys
from unittest import mock

import ddt
import fixtures
from oslo_privsep import capabilities
import testtools

from nova_numa_migrate import privsep

UID, GID = os.getuid(), os.getgid()


class PrivsepTestCase(testtools.TestCase):
    """The functions run in this process, without a daemon."""

    def setUp(self):
        super().setUp()
        privsep.context.set_client_mode(False)
        self.addCleanup(privsep.context.set_client_mode, True)
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)


class ContextTestCase(testtools.TestCase):
    def test_no_capability_more_than_is_needed(self):
        # Nova's fixtures clear the defaults of this process's options.
        shown = subprocess.run(
            [
                sys.executable,
                '-c',
                'from oslo_config import cfg\n'
                'import nova_numa_migrate.privsep\n'
                'print(*cfg.CONF.nova_numa_migrate_privileged.capabilities)',
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        self.assertEqual(
            {
                capabilities.CAP_CHOWN,
                capabilities.CAP_DAC_READ_SEARCH,
                capabilities.CAP_SYS_PTRACE,
            },
            {int(number) for number in shown.stdout.split()},
        )


@ddt.ddt
class TakeOverTestCase(PrivsepTestCase):
    def setUp(self):
        super().setUp()
        self.private = self.root / 'checkpoints'
        self.private.mkdir(mode=0o700)
        self.image = self.private / 'u.save'
        self.image.write_text('memory')
        self.chowned = []
        self.useFixture(
            fixtures.MockPatchObject(
                os, 'fchown', autospec=True, side_effect=self.fchown
            )
        )

    def fchown(self, descriptor, uid, gid):
        self.chowned.append((os.fstat(descriptor).st_ino, uid, gid))

    def refused(self, path=None, uid=UID):
        path = path or self.image
        self.assertRaises(OSError, privsep.take_over, str(path), uid, GID)
        self.assertEqual([], self.chowned)

    def test_given_away(self):
        before = set(os.listdir('/proc/self/fd'))
        privsep.take_over(str(self.image), UID, GID)
        self.assertEqual([(self.image.stat().st_ino, UID, GID)], self.chowned)
        self.assertEqual(before, set(os.listdir('/proc/self/fd')))

    def test_another_users_directory(self):
        self.refused(uid=UID + 1)

    @ddt.data(0o740, 0o710, 0o704, 0o701, 0o720, 0o755, 0o777)
    def test_a_directory_that_others_may_look_into(self, mode):
        self.private.chmod(mode)
        self.refused()

    def test_a_hard_link(self):
        other = self.root / 'shadow'
        other.write_text('secret')
        link = self.private / 'v.save'
        link.hardlink_to(other)
        self.refused(link)

    def test_a_symbolic_link(self):
        other = self.root / 'shadow'
        other.write_text('secret')
        link = self.private / 'v.save'
        link.symlink_to(other)
        self.refused(link)

    def test_a_directory(self):
        inner = self.private / 'v.save'
        inner.mkdir(mode=0o700)
        self.refused(inner)

    def test_a_fifo_is_refused_and_not_waited_for(self):
        self.useFixture(fixtures.Timeout(10, gentle=True))
        fifo = self.private / 'v.save'
        os.mkfifo(fifo)
        self.refused(fifo)

    def test_no_file(self):
        self.refused(self.private / 'w.save')

    def test_the_refusal_names_the_file(self):
        self.private.chmod(0o755)
        error = self.assertRaises(
            PermissionError, privsep.take_over, str(self.image), UID, GID
        )
        self.assertEqual(
            f'{self.image} is not a plain file in a private directory of '
            f'user {UID}',
            str(error),
        )


@ddt.ddt
class ReadGuestProcessTestCase(PrivsepTestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MockPatchObject(privsep, '_PID_FILES', self.root)
        )

    def test_of_the_domains_process(self):
        (self.root / 'instance-1.pid').write_text(f'{os.getpid()}\n')
        maps, numa_maps, command = privsep.read_guest_process('instance-1')
        self.assertIn('[stack]', maps)
        self.assertIn(' stack ', numa_maps)
        self.assertIn('python', command)

    def test_no_such_domain(self):
        self.assertRaises(
            FileNotFoundError, privsep.read_guest_process, 'instance-2'
        )

    def test_a_process_that_has_gone(self):
        (self.root / 'instance-1.pid').write_text('999999999')
        self.assertRaises(OSError, privsep.read_guest_process, 'instance-1')

    @ddt.data('../instance-1', '/etc/passwd', 'a/b', '..//x')
    def test_a_path_is_no_name(self, name):
        with mock.patch.object(
            pathlib.Path, 'read_text', autospec=True
        ) as read:
            self.assertRaises(
                PermissionError, privsep.read_guest_process, name
            )
        read.assert_not_called()


class RealOwnerTestCase(PrivsepTestCase):
    def test_owner_and_mode_afterwards(self):
        private = self.root / 'checkpoints'
        private.mkdir(mode=0o700)
        image = private / 'u.save'
        image.touch(mode=0o600)
        privsep.take_over(str(image), UID, GID)
        found = image.stat()
        self.assertEqual((UID, GID), (found.st_uid, found.st_gid))
        self.assertEqual(0o600, stat.S_IMODE(found.st_mode))
