# SPDX-License-Identifier: Apache-2.0
"""A host that hangs on its way is started anew; a sound one is not."""

import asyncio
from unittest import mock

import testtools

from lab.frame import errors
from lab.hosts import machine
from lab.hosts import monitor
from lab.hosts import startup

# As QEMU 10.0.13 prints it of a processor that idles after a lost end.
LOST = """dumping local APIC state for CPU 6

LVTT\t 0x000200ec active-hi edge                 periodic     Fixed  (vec 236)
ESR\t 0x00000000
ISR\t 236 \r
IRR\t 236 \r

APR 0x06 TPR 0x10 DFR 0x0f LDR 0x00 PPR 0xe0
"""
SOUND = LOST.replace(" 236 \r", " (none)\r")


class TestInService(testtools.TestCase):
    def in_service(self, *texts):
        """What processors have in service of which these texts are."""

        class Client:
            async def execute(self, command, arguments):
                number = arguments["command-line"].split()[-1]
                return texts[int(number)]

        def with_client(socket, run, seconds):
            return asyncio.run(run(Client()))

        with mock.patch.object(monitor, "_with_client", with_client):
            return monitor.in_service(mock.sentinel.socket, range(len(texts)))

    def test_only_processors_with_an_interrupt_are_named(self):
        self.assertEqual({(1, "236")}, self.in_service(SOUND, LOST, SOUND))


class TestCheckProcessors(testtools.TestCase):
    def setUp(self):
        super().setUp()
        patcher = mock.patch("time.sleep", autospec=True)
        self.sleep = patcher.start()
        self.addCleanup(patcher.stop)

    def check(self, *looks):
        """Check a host whose processors have these in service in turn."""
        with mock.patch.object(
            monitor, "in_service", autospec=True, side_effect=looks
        ):
            machine.Host(1).check_processors()

    def test_a_sound_host_is_told_at_once(self):
        self.check(set())

        self.sleep.assert_not_called()

    def test_an_interrupt_that_ends_is_none_that_is_lost(self):
        self.check({(0, "236")}, {(0, "236")}, {(0, "33")})

    def test_one_that_ends_at_the_last_look_is_none_either(self):
        self.check(*[{(0, "236")}] * 10, set())

    def test_one_that_never_ends_is_a_hang(self):
        lost = {(6, "236")}

        hang = self.assertRaises(
            machine.Hang, self.check, lost | {(0, "236")}, *[lost] * 10
        )

        self.assertEqual(machine.Host(1), hang.host)
        self.assertIn("host1 hangs", str(hang))
        self.assertTrue(str(hang).endswith("processor 6 (236)"))

    def test_those_that_hang_are_named(self):
        looks = [set()] + [{(6, "236")}] * 11
        with mock.patch.object(
            monitor, "in_service", autospec=True, side_effect=looks
        ):
            [why] = machine.hanging([machine.Host(1), machine.Host(2)])

        self.assertIn("host2 hangs", why)


class TestStart(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.host = mock.Mock(machine.Host)
        self.notes = []

    def start(self):
        startup.start(self.host, self.host.start, self.notes.append)

    def test_a_sound_host_is_started_once(self):
        self.start()

        self.host.start.assert_called_once_with()
        self.host.stop.assert_not_called()
        self.assertEqual([], self.notes)

    def test_one_that_hangs_is_started_anew_with_more_time(self):
        self.host.wait_ready.side_effect = [errors.LabError("host1"), None]

        self.start()

        self.assertEqual(
            ["start", "wait_ready", "stop", "start", "wait_ready"],
            [call[0] for call in self.host.method_calls],
        )
        first, second = self.host.wait_ready.call_args_list
        self.assertLess(first.args[0], second.args[0])
        self.assertEqual(["host1; started anew"], self.notes)

    def test_one_that_never_comes_up_is_an_error(self):
        self.host.wait_ready.side_effect = errors.LabError("host1")

        self.assertRaises(errors.LabError, self.start)

        self.assertEqual(3, self.host.start.call_count)
