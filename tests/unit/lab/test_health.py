# SPDX-License-Identifier: Apache-2.0
"""A host's kernel that hangs is told from one that only waits."""

from unittest import mock

import testtools

from lab.hosts import health
from lab.hosts import machine


def told(*tasks):
    """What a host says of tasks, each (pid, name, state, switches)."""
    lines = []
    for pid, name, state, switches in tasks:
        file = f"/proc/{pid}/task/{pid}/status"
        lines += [
            f"{file}:Name:\t{name}",
            f"{file}:State:\t{state}",
            f"{file}:voluntary_ctxt_switches:\t{switches}",
        ]
    return "\n".join(lines)


def hangs(switches=7):
    """A host on which an emulator waits, having slept that often."""
    return told(
        (1, "systemd", "S (sleeping)", 900),
        (88, "qemu-system-x86", "D (disk sleep)", switches),
    )


class TestBlocked(testtools.TestCase):
    def test_only_what_no_signal_wakes_is_blocked(self):
        [task] = health.blocked(hangs())

        self.assertEqual(
            health.Blocked("/proc/88/task/88", "qemu-system-x86", 7), task
        )

    def test_a_task_that_ended_while_it_was_read_is_none(self):
        self.assertEqual(
            set(),
            health.blocked("/proc/9/task/9/status:State:\tD (disk sleep)"),
        )

    def test_a_name_may_have_a_colon(self):
        [task] = health.blocked(told((5, "kworker/0:1", "D (disk sleep)", 1)))

        self.assertEqual("kworker/0:1", task.program)


class TestHung(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self._patch("time.sleep", lambda seconds: None)
        self.clock = self._patch("time.monotonic", mock.Mock())
        self.host = machine.Host(1)

    def _patch(self, name, new):
        patcher = mock.patch(f"lab.hosts.health.{name}", new)
        self.addCleanup(patcher.stop)
        return patcher.start()

    def hung(self, answers, moments):
        """What hangs by these answers, given at these moments, in seconds."""
        self.clock.side_effect = moments
        shell = mock.Mock(**{"run.side_effect": answers})
        with mock.patch.object(
            machine.Host, "shell", mock.PropertyMock(return_value=shell)
        ):
            return health.hung(self.host)

    def test_a_host_on_which_nothing_waits_is_told_at_once(self):
        calm = told((1, "systemd", "S (sleeping)", 900))

        self.assertEqual([], self.hung([calm], [0.0]))

    def test_what_sleeps_for_ever_hangs(self):
        self.assertEqual(
            ["qemu-system-x86 (/proc/88/task/88)"],
            self.hung([hangs()] * 3, [0.0, 1.0, 59.0, 60.0]),
        )

    def test_what_sleeps_again_and_again_does_not(self):
        self.assertEqual([], self.hung([hangs(7), hangs(8)], [0.0, 1.0]))

    def test_a_host_that_hangs_is_refused_by_name(self):
        hung = mock.Mock(return_value=["qemu (/proc)"])
        with (
            mock.patch.object(health, "hung", hung),
            mock.patch.object(machine.Host, "check_processors", autospec=True),
        ):
            refused = self.assertRaises(machine.Hang, health.check, self.host)

        self.assertEqual(self.host, refused.host)
        self.assertIn("host1 hangs", str(refused))
        self.assertIn("qemu (/proc)", str(refused))

    def test_a_host_that_has_lost_an_interrupt_is_not_asked(self):
        hang = machine.Hang(self.host, "host1 hangs")
        with mock.patch.object(
            machine.Host,
            "check_processors",
            autospec=True,
            side_effect=hang,
        ):
            refused = self.assertRaises(machine.Hang, health.check, self.host)

        self.assertIs(hang, refused)
