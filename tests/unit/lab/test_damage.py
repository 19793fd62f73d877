# SPDX-License-Identifier: Apache-2.0
"""The fault matrix finds lost what is lost."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import threading

import fixtures
import testtools

from lab.damage import audit
from lab.damage import history
from lab.damage import report
from lab.damage import saboteur
from lab.damage import table
from lab.proof import ticks

_SERVER = "192c0e28-825d-473a-bc37-3a5ffbdee16b"
_FIRST = ticks.Tick(
    heard=0.0,
    host="host1",
    count=41,
    passes=10,
    bad=0,
    checksum="d3a56543576601b3",
    disk="ok",
    records=11,
    boot_id="boot",
)


def told(*parts, **changes):
    """A history of parts, each (host, first count, last count).

    Between two parts nothing is heard for nine seconds.
    """
    said = []
    for number, (host, first, last) in enumerate(parts):
        for count in range(first, last + 1):
            tick = dataclasses.replace(
                _FIRST,
                heard=len(said) * 0.5 + number * 9,
                host=host,
                count=count,
                **changes,
            )
            said.append(tick)
    return history.History(tuple(said))


class TableTest(testtools.TestCase):
    def test_no_row_breaks_what_is_not_there(self):
        names = {row.name for row in table.rows()}
        self.assertEqual(len(names), len(table.rows()))
        self.assertIn("emulator-source-saving", names)
        self.assertIn("bus-cloud-restoring", names)
        for none in (
            "emulator-source-saved",
            "emulator-destination-saving",
            "network-source-saving",
        ):
            self.assertNotIn(none, names)

    def test_every_fault_meets_every_step_that_it_can(self):
        met = {(row.fault, row.step) for row in table.rows()}
        missing = {(f, s) for f in table.Fault for s in table.Step} - met
        self.assertEqual(
            {
                (table.Fault.EMULATOR, table.Step.SAVED),
                (table.Fault.EMULATOR, table.Step.SENT),
            },
            missing,
        )

    def test_only_the_death_of_the_only_copy_loses_it(self):
        lost = [
            row.name
            for row in table.rows()
            if row.promise is not table.Promise.GOES_ON
        ]
        self.assertEqual(
            ["emulator-source-saving", "power-source-saving"], lost
        )

    def test_the_few_are_rows(self):
        self.assertEqual(
            set(table.FEW), {row.name for row in table.select(table.FEW)}
        )

    def test_the_beginning_of_a_name(self):
        names = [row.name for row in table.select(["network", "bus-cloud-sa"])]
        self.assertEqual(
            ["bus-cloud-saving", "bus-cloud-saved"]
            + [f"network-cloud-{step}" for step in table.Step],
            names,
        )

    def test_a_name_that_is_none(self):
        self.assertRaises(KeyError, table.select, ["bus-source-saving"])


class HistoryTest(testtools.TestCase):
    def untrue(self, seen, promise=table.Promise.GOES_ON, deaf=None):
        return "; ".join(seen.untrue(promise, deaf))

    def test_it_moved(self):
        seen = told(("host1", 41, 44), ("host2", 45, 50))
        self.assertEqual("", self.untrue(seen))

    def test_it_moved_and_came_back(self):
        seen = told(("host1", 41, 44), ("host2", 45, 50), ("host1", 45, 50))
        self.assertEqual("", self.untrue(seen))

    def test_the_silence_is_the_longest(self):
        seen = told(("host1", 41, 44), ("host2", 45, 50))
        self.assertEqual((44, 45), (seen.stop.count, seen.resume.count))
        self.assertEqual(9.5, seen.silence)

    def test_two_at_a_time_speak_in_turns(self):
        seen = told(
            ("host1", 41, 44),
            ("host2", 45, 45),
            ("host1", 45, 45),
            ("host2", 46, 46),
        )
        self.assertIn("one guest at a time", self.untrue(seen))

    def test_it_goes_on_from_an_old_checkpoint(self):
        seen = told(("host1", 41, 44), ("host2", 40, 50))
        self.assertIn("goes on from its stop", self.untrue(seen))

    def test_it_comes_back_from_an_old_checkpoint(self):
        seen = told(("host1", 41, 44), ("host2", 45, 50), ("host1", 41, 50))
        self.assertIn("goes on from its stop", self.untrue(seen))

    def test_it_goes_on_unheard_for_as_long_as_its_host_is_deaf(self):
        seen = told(("host1", 41, 44), ("host2", 55, 60))
        goes_on = table.Promise.GOES_ON
        for host, seconds in (("host2", 4.0), ("host1", 5.0)):
            deaf = history.Deaf(host, seconds)
            self.assertIn("from its stop", self.untrue(seen, goes_on, deaf))
        deaf = history.Deaf("host2", 5.0)
        self.assertEqual("", self.untrue(seen, goes_on, deaf))

    def test_it_never_goes_back_however_deaf_its_host(self):
        seen = told(("host1", 41, 44), ("host2", 40, 50))
        deaf = history.Deaf("host2", 60.0)
        self.assertIn("from its stop", self.untrue(seen, deaf=deaf))

    def test_it_booted(self):
        seen = told(("host1", 41, 44), ("host2", 45, 46))
        booted = dataclasses.replace(seen.ticks[-1], boot_id="other")
        seen = history.History((*seen.ticks[:-1], booted))
        self.assertIn("not booted anew", self.untrue(seen))

    def test_memory_or_disk_changed(self):
        parts = ("host1", 41, 44), ("host2", 45, 50)
        self.assertIn("memory and disk", self.untrue(told(*parts, bad=1)))
        lost = told(*parts, disk="lost-records")
        self.assertIn("memory and disk", self.untrue(lost))

    def test_another_pattern(self):
        seen = told(("host1", 41, 44), ("host2", 45, 46))
        other = dataclasses.replace(seen.ticks[-1], checksum="0")
        seen = history.History((*seen.ticks[:-1], other))
        self.assertIn("one checksum", self.untrue(seen))

    def test_one_that_crashed_boots_from_its_disk(self):
        ran, boots = told(("host1", 41, 44)), told(("host1", 1, 4))
        later = [
            dataclasses.replace(
                tick, boot_id="next", heard=9 + tick.heard, records=12
            )
            for tick in boots.ticks
        ]
        crashed = table.Promise.BOOTS
        seen = history.History((*ran.ticks, *later))
        self.assertEqual("", self.untrue(seen, crashed))
        self.assertIn("booted anew, once", self.untrue(ran, crashed))
        lost = [dataclasses.replace(tick, records=3) for tick in later]
        seen = history.History((*ran.ticks, *lost))
        self.assertIn("has its disk", self.untrue(seen, crashed))


class ReportTest(testtools.TestCase):
    def test_what_is_left_fails_a_row(self):
        [row, *_] = table.rows()
        seen = told(("host1", 41, 44), ("host2", 45, 46))
        good = report.Result(row, "confirmed", 5.0, seen)
        bad = dataclasses.replace(good, left=("a file",))
        text = report.render([good, bad])
        self.assertIn("1 of 2 rows hold", text)
        self.assertIn("44 -> 45", report.line(good))

    def test_it_is_kept_as_json(self):
        [row, *_] = table.rows()
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, "kept")
        report.keep([report.Result(row, "no end", 5.0, None, ("all",))], path)
        [kept] = json.loads(path.read_text())
        self.assertEqual((row.name, False), (kept["row"], kept["holds"]))


class SaboteurTest(testtools.TestCase):
    """The saboteur as it runs on a host, on a directory of our own."""

    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.process = subprocess.Popen(
            [sys.executable, "-u", saboteur.__file__, str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.stdin.close)
        self.addCleanup(self.process.kill)
        guard = threading.Timer(60, self.process.kill)
        guard.start()
        self.addCleanup(guard.cancel)
        self.assertEqual({"ready": True}, self.said())

    def said(self):
        return json.loads(self.process.stdout.readline())

    def order(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def journal(self, step, server=_SERVER):
        new = self.directory / f"{server}.new"
        new.write_text(json.dumps({"step": step}))
        return new.rename(new.with_suffix(".json"))

    def test_a_process_dies_in_the_moment_and_not_before(self):
        victim = subprocess.Popen(["sleep", "100"])
        self.addCleanup(victim.wait)
        self.addCleanup(victim.kill)
        self.order(
            server=_SERVER, moment="saved", do="kill", to=str(victim.pid)
        )
        self.assertEqual({"armed": "saved"}, self.said())
        self.journal("saving")
        self.journal("saved", "another")
        self.assertIsNone(victim.poll())
        self.journal("saved")
        self.assertEqual({"done": "kill"}, self.said())
        self.assertEqual(-9, victim.wait(60))

    def test_every_moment(self):
        (self.directory / f"{_SERVER}.save").touch()
        for step in table.Step:
            self.order(server=_SERVER, moment=step, do="tell", to="")
            self.assertEqual({"armed": step}, self.said())
        with (self.directory / f"{_SERVER}.save").open("wb") as image:
            image.truncate(1 << 21)
        self.assertEqual({"done": "tell"}, self.said())
        for step in table.Step.SAVED, table.Step.SENT, table.Step.RESTORING:
            path = self.journal(step)
            self.assertEqual({"done": "tell"}, self.said())
        path.unlink()
        self.assertEqual({"done": "tell"}, self.said())

    def test_at_once(self):
        self.order(do="tell", to="")
        self.assertEqual({"done": "tell"}, self.said())

    def test_a_file_loses_a_byte_or_its_half(self):
        image = self.directory / f"{_SERVER}.save"
        image.write_bytes(bytes(range(100)))
        self.order(do="flip", to=str(image))
        self.assertEqual({"done": "flip"}, self.said())
        flipped = image.read_bytes()
        self.assertEqual(
            [50], [at for at, byte in enumerate(flipped) if byte != at]
        )
        self.order(do="cut", to=str(image))
        self.assertEqual({"done": "cut"}, self.said())
        self.assertEqual(flipped[:50], image.read_bytes())


class AuditTest(testtools.TestCase):
    """The script as a host runs it, beside a systemctl of our own."""

    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.file = self.directory / "service"
        self.file.write_text("PROGRAM=nova\nINTERVAL=60\n")
        self.restarted = self.directory / "restarted"
        command = self.directory / "systemctl"
        command.write_text(f'#!/bin/sh\necho "$@" >>{self.restarted}\n')
        command.chmod(0o755)

    def set(self, *lines):
        """Run it; the file, and how often the service was restarted."""
        subprocess.run(
            ["sh", "-c", audit.SET, "set", self.file, "unit", *lines],
            env={"PATH": f"{self.directory}:{os.environ['PATH']}"},
            check=True,
        )
        restarts = []
        if self.restarted.exists():
            restarts = self.restarted.read_text().splitlines()
        count = restarts.count("restart unit")
        self.assertEqual(
            ["kill --signal=KILL unit", "restart unit"] * count, restarts
        )
        return self.file.read_text().splitlines(), count

    def test_only_a_change_restarts(self):
        wanted = ["PROGRAM=nova", "INTERVAL=1", "LEVELS=tracker=DEBUG"]
        for _ in range(2):
            found = self.set("INTERVAL=1", "LEVELS=tracker=DEBUG")
            self.assertEqual((wanted, 1), found)
        for _ in range(2):
            found = self.set("INTERVAL=20", "LEVELS=")
            self.assertEqual((["PROGRAM=nova", "INTERVAL=20"], 2), found)
        self.assertEqual(
            {"service", "systemctl", "restarted"},
            {path.name for path in self.directory.iterdir()},
        )
