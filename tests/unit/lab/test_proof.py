# SPDX-License-Identifier: Apache-2.0
"""The demonstration finds untrue what is untrue."""

import json
import os
import pathlib
import select
import struct
import subprocess
import sys
import threading

import fixtures
import testtools

from lab.frame import errors
from lab.hosts import topology
from lab.proof import agent
from lab.proof import checkpoints
from lab.proof import echo
from lab.proof import memory
from lab.proof import report
from lab.proof import ticks
from lab.proof import verdict as lab_verdict
from lab.proof import watch as lab_watch

_MIB = 1 << 20
_MAPS = f"""\
7f3e00000000-{0x7F3E00000000 + 72 * _MIB:x} rw-p 00000000 00:00 0
7f3e10000000-{0x7F3E10000000 + 56 * _MIB:x} rw-p 00000000 00:00 0
7f3e20000000-7f3e20021000 rw-p 00000000 00:00 0
"""
_NUMA_MAPS = """\
7f3e00000000 bind:3 dirty=18432 active=0 N3=18432 kernelpagesize_kB=4
7f3e10000000 bind:2 anon=14336 dirty=14336 N0=36 N2=14300 kernelpagesize_kB=4
7f3e20000000 default heap anon=33 dirty=33 N2=33 kernelpagesize_kB=4
"""
_THREADS = """\
qemu-system-x86:Cpus_allowed_list:\t5,7
CPU 0/KVM:Cpus_allowed_list:\t7
CPU 1/KVM:Cpus_allowed_list:\t5
"""
_TEXT = "=\n".join((_MAPS, _NUMA_MAPS, _THREADS))
_TICK = (
    "TICK n=161 passes=20 bad=0 sum=d3a56543576601b3 disk=ok records=21 "
    "boot_id=192c0e28-825d-473a-bc37-3a5ffbdee16b up=102.22"
)


class MemoryTest(testtools.TestCase):
    def test_a_cell_is_found_by_its_size(self):
        measured = memory.parse(_TEXT)
        self.assertEqual("bind:3", measured.cell(72).policy)
        self.assertEqual({3: 18432}, measured.cell(72).pages)
        self.assertEqual({0: "7", 1: "5"}, measured.pinning)

    def test_a_single_page_elsewhere_shows(self):
        area = memory.parse(_TEXT).cell(56)
        self.assertEqual({0: 36, 2: 14300}, area.pages)
        self.assertNotEqual(100.0, area.share(2))

    def test_large_pages_count_by_their_size(self):
        text = _TEXT.replace(
            "N3=18432 kernelpagesize_kB=4", "N3=36 kernelpagesize_kB=2048"
        )
        self.assertEqual({3: 18432}, memory.parse(text).cell(72).pages)

    def test_no_pages_are_no_share(self):
        self.assertEqual(0.0, memory.Area(1, "default", {}).share(1))

    def test_a_size_that_is_not_there_or_not_unique_is_an_error(self):
        measured = memory.parse(_TEXT)
        self.assertRaises(errors.LabError, measured.cell, 64)
        twice = memory.Measured(measured.areas * 2, measured.pinning)
        self.assertRaises(errors.LabError, twice.cell, 72)


class TicksTest(testtools.TestCase):
    def test_a_tick_is_read_whole(self):
        tick = ticks.parse(_TICK, "host1", 5.0)
        self.assertEqual(161, tick.count)
        self.assertEqual("d3a56543576601b3", tick.checksum)
        self.assertEqual(("host1", 5.0), (tick.host, tick.heard))
        self.assertTrue(tick.intact)

    def test_further_disks_are_told_where_there_are_any(self):
        self.assertEqual("", ticks.parse(_TICK, "host1", 5.0).more)
        tick = ticks.parse(f"{_TICK} more=vdb:1f,sr0:2e", "host1", 5.0)
        self.assertEqual("vdb:1f,sr0:2e", tick.more)

    def test_a_wrong_word_or_a_bad_disk_is_not_intact(self):
        for good, bad in (("bad=0", "bad=1"), ("disk=ok", "disk=changed")):
            tick = ticks.parse(_TICK.replace(good, bad), "host1", 5.0)
            self.assertFalse(tick.intact)

    def test_other_and_broken_lines_are_no_ticks(self):
        for line in ("", "BOOT boot_id=1", _TICK[:40], "TICK n=x passes=1"):
            self.assertIsNone(ticks.parse(line, "host1", 5.0))


class EchoTest(testtools.TestCase):
    def test_a_request_with_its_checksum_sums_up_to_nothing(self):
        for number in (0, 1, 0xFFFF, 0x12345):
            words = struct.unpack("!4H", echo.request(number))
            self.assertEqual(0, sum(words) % 0xFFFF)
            self.assertEqual(number & 0xFFFF, words[3])

    def test_the_longest_silence_is_the_one_that_counts(self):
        self.assertEqual(
            (3.0, 9.0), echo.longest_silence([1.0, 3.0, 9.0, 9.2, 12.0])
        )


class _Events:
    def __init__(self, *events):
        self._events = [lab_watch.FileEvent(*event) for event in events]

    def files(self):
        return self._events


class _Host:
    name = "host1"


class CheckpointsTest(testtools.TestCase):
    def untrue(self, *events):
        verdict = lab_verdict.Verdict()
        checkpoints.claim_private(_Events(*events), "uuid", [_Host()], verdict)
        return verdict.untrue

    _DIRECTORY = ("host1", "numa_migrate", "create", 0o700, 4096)

    def test_private_all_the_time(self):
        self.assertEqual(
            (),
            self.untrue(
                self._DIRECTORY,
                ("host1", "uuid.save", "create", 0o600, 0),
                ("host1", "uuid.save", "delete", None, 0),
            ),
        )

    def test_readable_for_one_event(self):
        [untrue] = self.untrue(
            self._DIRECTORY,
            ("host1", "uuid.save", "create", 0o644, 0),
            ("host1", "uuid.save", "attrib", 0o600, 0),
        )
        self.assertIn("uuid.save has mode 600", untrue)

    def test_a_checkpoint_that_nobody_saw_proves_nothing(self):
        [untrue] = self.untrue(self._DIRECTORY)
        self.assertIn("was seen on host1", untrue)

    def test_an_open_directory(self):
        untrue = self.untrue(
            ("host1", "numa_migrate", "create", 0o755, 4096),
            ("host1", "uuid.save", "create", 0o600, 0),
        )
        self.assertEqual(1, len(untrue))


class AgentTest(testtools.TestCase):
    """The agent as it runs on a host, on directories of our own."""

    _SERVER = "192c0e28-825d-473a-bc37-3a5ffbdee16b"

    def setUp(self):
        super().setUp()
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.instances = root / "instances"
        self.instances.mkdir()
        self.checkpoints = root / "state" / "numa_migrate"
        self.checkpoints.parent.mkdir()
        self.start()

    def start(self, *options):
        self.agent = subprocess.Popen(
            [
                *(sys.executable, "-u", agent.__file__),
                *(str(self.instances), str(self.checkpoints), *options),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.agent.wait)
        self.addCleanup(self.agent.stdin.close)
        self.addCleanup(self.agent.stdout.close)
        self.addCleanup(self.agent.kill)
        guard = threading.Timer(20, self.agent.kill)
        guard.start()
        self.addCleanup(guard.cancel)
        self.assertEqual({"ready": True}, self.told())

    def told(self):
        return json.loads(self.agent.stdout.readline())

    def test_a_console_is_followed_through_rename_and_restart(self):
        directory = self.instances / self._SERVER
        directory.mkdir()
        console = directory / "console.log"
        console.write_text("one\r\n")
        self.assertEqual("one", self.told()["line"])
        moved = directory.rename(directory.with_name(f"{self._SERVER}_resize"))
        with (moved / "console.log").open("a") as log:
            log.write("two\n")
        self.assertEqual({"server": self._SERVER, "line": "two"}, self.told())
        moved.rename(directory)
        console.write_text("3\n")
        self.assertEqual("3", self.told()["line"])

    def test_what_a_host_holds_when_it_is_on_again_is_left_out(self):
        # The host lost its power when the server had left it.
        moved = self.instances / f"{self._SERVER}_resize"
        moved.mkdir()
        (moved / "console.log").write_text("old\n")
        self.start("--from-end")
        brought = moved.rename(self.instances / self._SERVER)
        with (brought / "console.log").open("a") as log:
            log.write("new\n")
        self.assertEqual({"server": self._SERVER, "line": "new"}, self.told())

    def test_it_ends_with_its_input(self):
        self.agent.stdin.close()
        self.assertEqual(0, self.agent.wait())

    def test_what_another_host_has_written_is_left_out(self):
        self.start("--shared")
        # As on storage that is shared, no event tells of it.
        other = self.instances.with_name("other")
        directory = other / self._SERVER
        directory.mkdir(parents=True)
        (directory / "console.log").write_text("said there\n")
        self.instances.rename(self.instances.with_name("before"))
        other.rename(self.instances)
        console = self.instances / self._SERVER / "console.log"
        while not select.select([self.agent.stdout], [], [], 0.2)[0]:
            with console.open("a") as log:
                log.write("said here\n")
        self.assertEqual("said here", self.told()["line"])

    def test_a_checkpoint_is_told_from_its_creation_to_its_end(self):
        self.checkpoints.mkdir(mode=0o700)
        told = self.told()
        self.assertEqual(("numa_migrate", 0o700), (told["path"], told["mode"]))
        path = self.checkpoints / "uuid.save"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        events = [self.told()]
        while events[-1]["event"] != "written":
            events.append(self.told())
        self.assertEqual("create", events[0]["event"])
        self.assertEqual({0o600}, {e["mode"] for e in events})
        path.unlink()
        self.assertEqual({"path": "uuid.save", "event": "delete"}, self.told())


class TopologyTest(testtools.TestCase):
    def test_no_two_nodes_have_one_size(self):
        sizes = topology.NODE_MIB
        self.assertEqual(len(sizes), len(set(sizes)))

    def test_each_cpu_is_of_one_node_and_of_one_use(self):
        shared = topology.shared_cpus().split(",")
        dedicated = topology.dedicated_cpus().split(",")
        self.assertEqual(["0", "2", "4", "6"], shared)
        self.assertEqual(["1", "3", "5", "7"], dedicated)

    def test_distances_are_mutual_and_nearest_at_home(self):
        for a, row in enumerate(topology.DISTANCES):
            self.assertEqual(10, row[a])
            for b, value in enumerate(row):
                self.assertEqual(value, topology.DISTANCES[b][a])


class ReportTest(testtools.TestCase):
    def test_a_guest_may_be_back_where_it_was(self):
        before = ticks.parse(_TICK, "host1", 5.0)
        first = ticks.parse(_TICK, "host1", 8.5)
        text = report.state(before, first, first, 3.5)
        self.assertIn("silent for 3.5 s", text)
        self.assertIn(before.boot_id, text)
