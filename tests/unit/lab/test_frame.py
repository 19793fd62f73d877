# SPDX-License-Identifier: Apache-2.0
"""What every part of the lab stands on."""

import io
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
from unittest import mock

import fixtures
import testtools

from lab.frame import command
from lab.frame import errors
from lab.frame import kvm
from lab.frame import paths as lab_paths
from lab.frame import process
from lab.frame import readiness
from lab.frame import steps as lab_steps
from lab.frame import tasks

# A daemon with a child of its own that ignores a polite end.
_STUBBORN = """
import os, signal, sys, time
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print('child', os.getpid(), flush=True)
time.sleep(60)
"""


class _LabTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.paths = lab_paths.Paths(root)
        run = mock.patch.object(
            lab_paths.Paths, 'run', property(lambda paths: paths.root / 'run')
        )
        run.start()
        self.addCleanup(run.stop)
        self.paths.make()


class TestPaths(testtools.TestCase):
    def test_two_checkouts_share_no_global_name(self):
        one = lab_paths.Paths(pathlib.Path('/home/a/checkout'))
        other = lab_paths.Paths(pathlib.Path('/home/b/checkout'))
        self.assertNotEqual(one.netns, other.netns)
        self.assertNotEqual(one.run, other.run)

    def test_sockets_fit_the_kernel_limit(self):
        deep = lab_paths.Paths(pathlib.Path('/' + 'long/' * 60))
        self.assertLess(len(str(deep.run / 'mysql.sock')), 108)

    def test_here_is_this_checkout(self):
        self.assertTrue((lab_paths.here().root / 'lab/frame').is_dir())


class TestDaemon(_LabTest):
    def setUp(self):
        super().setUp()
        self.daemon = process.Daemon(self.paths, 'example')
        self.addCleanup(self.daemon.stop, 0.1)
        # The namespace is the test's own: nsenter needs no privilege then.
        real = subprocess.Popen
        patch = mock.patch.object(
            subprocess,
            'Popen',
            lambda argv, **options: real(argv[3:], **options),
        )
        patch.start()
        self.addCleanup(patch.stop)

    def _start_stubborn(self):
        self.daemon.start([sys.executable, '-c', _STUBBORN])
        readiness.wait(
            'the child',
            lambda: b'\n' in self.daemon.log.read_bytes(),
            timeout=20,
        )
        return int(self.daemon.log.read_text().split()[1])

    def test_start_twice_starts_once(self):
        self.assertTrue(self.daemon.start(['sleep', '60']))
        self.assertTrue(self.daemon.alive())
        self.assertFalse(self.daemon.start(['sleep', '60']))

    def test_stop_ends_the_whole_session(self):
        child = self._start_stubborn()
        self.daemon.stop(grace=0.3)
        self.assertFalse(self.daemon.alive())
        self.assertIsNone(process._living(child))
        self.assertEqual([], process.recorded(self.paths))

    def test_stop_ends_children_of_a_dead_leader(self):
        child = self._start_stubborn()
        record = self.daemon._read()
        os.kill(record.pid, signal.SIGKILL)
        readiness.wait('the end', lambda: not self.daemon.alive(), timeout=5)
        self.daemon.stop(grace=0.1)
        self.assertIsNone(process._living(child))

    def test_a_process_with_a_recorded_pid_but_another_start_is_spared(self):
        self.daemon.start(['sleep', '60'])
        mine = self.daemon._read()
        stale = process.Record(mine.pid, mine.started - 1, mine.boot_id)
        other = process.Daemon(self.paths, 'stale')
        with mock.patch.object(
            process.Daemon, '_read', autospec=True, return_value=stale
        ):
            self.assertFalse(other.alive())
            other.stop(grace=0.1)
        self.assertTrue(self.daemon.alive())

    def test_a_record_of_another_boot_is_no_proof(self):
        self.daemon.start(['sleep', '60'])
        boot = self.paths.root / 'boot_id'
        boot.write_text('another boot')
        with mock.patch.object(process, '_BOOT_ID', boot):
            self.assertFalse(self.daemon.alive())

    def test_check_shows_the_log_of_one_that_ended(self):
        self.daemon.start(['sh', '-c', 'echo out of memory; exit 1'])
        readiness.wait('the end', lambda: not self.daemon.alive(), timeout=9)
        error = self.assertRaises(errors.LabError, self.daemon.check)
        self.assertEqual(['out of memory'], errors.tail(error.log))

    def test_the_log_of_the_run_before_is_kept(self):
        for word in ('one', 'two'):
            self.daemon.start(['echo', word])
            readiness.wait(
                word,
                lambda: bool(self.daemon.log.read_text()),
                timeout=9,
            )
            self.daemon.stop()
        self.assertEqual('two\n', self.daemon.log.read_text())
        before = self.daemon.log.with_suffix('.log.1')
        self.assertEqual('one\n', before.read_text())


class TestSteps(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.out = io.StringIO()
        self.steps = lab_steps.Steps(self.out, time.time() - 100)

    def test_a_line_has_total_own_time_and_name(self):
        with self.steps('database'):
            pass
        self.assertRegex(
            self.out.getvalue(), r'^ +100\.\d s +0\.\d s  database\n$'
        )

    def test_a_failure_shows_reason_and_end_of_log_once(self):
        log = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'x.log')
        log.write_text('\n'.join(f'line {n}' for n in range(100)))

        def fail():
            with self.steps('outer'), self.steps('inner', log):
                raise errors.LabError('no answer from the database')

        self.assertRaises(errors.LabError, fail)
        text = self.out.getvalue()
        self.assertIn('FAILED inner', text)
        self.assertEqual(1, text.count('no answer from the database'))
        self.assertEqual(1, text.count('line 99'))
        self.assertNotIn('line 50', text)


class TestTasks(testtools.TestCase):
    def test_needs_come_first(self):
        done = []
        tasks.run(
            {
                'roof': tasks.Task(lambda: done.append('roof'), ('wall',)),
                'wall': tasks.Task(lambda: done.append('wall'), ('ground',)),
                'ground': tasks.Task(lambda: done.append('ground')),
            }
        )
        self.assertEqual(['ground', 'wall', 'roof'], done)

    def test_independent_tasks_run_at_the_same_time(self):
        meeting = threading.Barrier(2, timeout=10)
        tasks.run(
            {
                'a': tasks.Task(meeting.wait),
                'b': tasks.Task(meeting.wait),
            }
        )

    def test_a_need_outside_counts_as_done(self):
        done = []
        tasks.run({'a': tasks.Task(lambda: done.append('a'), ('gone',))})
        self.assertEqual(['a'], done)

    def test_after_a_failure_nothing_is_started_or_waited_for(self):
        done = []
        release = threading.Event()
        self.addCleanup(release.set)

        def fail():
            raise errors.LabError('broken')

        error = self.assertRaises(
            errors.LabError,
            tasks.run,
            {
                'slow': tasks.Task(release.wait),
                'bad': tasks.Task(fail),
                'next': tasks.Task(lambda: done.append('next'), ('bad',)),
            },
        )
        self.assertEqual('broken', str(error))
        self.assertEqual([], done)


class TestCommand(_LabTest):
    def test_output_goes_to_the_log(self):
        log = self.paths.log('example')
        command.run(['echo', 'seen'], log, timeout=10)
        self.assertEqual('seen\n', log.read_text())

    def test_a_failing_program_is_named_with_its_status(self):
        error = self.assertRaises(
            errors.LabError,
            command.run,
            ['sh', '-c', 'exit 7'],
            self.paths.log('example'),
            timeout=10,
        )
        self.assertEqual('sh -c exit 7 ended with status 7', str(error))

    def test_a_program_that_hangs_is_ended(self):
        error = self.assertRaises(
            errors.LabError,
            command.run,
            ['sleep', '60'],
            self.paths.log('example'),
            timeout=0.2,
        )
        self.assertIn('sleep 60 took more than', str(error))


class TestReadiness(testtools.TestCase):
    def test_an_open_port_without_an_application_does_not_answer(self):
        with socket.create_server(('127.0.0.1', 0)) as server:
            server.settimeout(10)
            port = server.getsockname()[1]

            def refuse():
                server.accept()[0].close()

            self.assertTrue(readiness.listens('127.0.0.1', port))
            server.accept()[0].close()
            thread = threading.Thread(target=refuse)
            thread.start()
            self.assertFalse(readiness.answers('127.0.0.1', port))
            thread.join()

    def test_time_over_names_what_was_waited_for(self):
        error = self.assertRaises(
            errors.LabError,
            readiness.wait,
            'the broker',
            lambda: False,
            timeout=0.2,
        )
        self.assertIn('the broker', str(error))


class TestKvm(testtools.TestCase):
    def _emulator(self, text):
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'qemu')
        path.write_text(f'#!/bin/sh\n{text}\n')
        path.chmod(0o755)
        return [str(path)]

    def test_only_the_status_of_the_boot_sector_counts(self):
        self.assertTrue(kvm.runs(self._emulator('exit 85'), 'kvm'))
        self.assertFalse(kvm.runs(self._emulator('exit 0'), 'kvm'))
        self.assertFalse(kvm.runs(self._emulator('exit 1'), 'kvm'))

    def test_a_guest_that_hangs_is_given_up(self):
        with mock.patch.object(kvm, '_SECONDS', 0.2):
            self.assertFalse(kvm.runs(self._emulator('exec sleep 9'), 'kvm'))
