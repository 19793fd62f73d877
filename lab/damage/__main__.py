# SPDX-License-Identifier: Apache-2.0
"""``python -m lab.damage``: rows of the fault matrix, in a lab that is up."""

import argparse
import contextlib
import dataclasses
import sys
import time

from lab import cloud as lab_cloud
from lab.damage import audit
from lab.damage import guest as lab_guest
from lab.damage import report
from lab.damage import row as lab_row
from lab.damage import table
from lab.frame import errors
from lab.frame import netns
from lab.frame import paths as lab_paths
from lab.frame import steps as lab_steps
from lab.hosts import machine
from lab.proof import servers
from lab.proof import watch as lab_watch


def _parse(words: list[str]) -> list[table.Row]:
    parser = argparse.ArgumentParser(
        prog="lab/faults",
        description="Break each part of the cloud in each step of a move.",
    )
    parser.add_argument(
        "--all", action="store_true", help="the whole matrix: an hour or more"
    )
    parser.add_argument(
        "--list", action="store_true", help="print the names of the rows"
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="a row, as FAULT-SIDE-STEP, or the beginning of its name",
    )
    arguments = parser.parse_args(words)
    if arguments.list:
        parser.exit(message="".join(f"{row.name}\n" for row in table.rows()))
    if arguments.all:
        return table.rows()
    try:
        return table.select(arguments.names or list(table.FEW))
    except KeyError as error:
        parser.error(f"no row {error.args[0]}: see --list")


class Matrix:
    """Rows one after the other, on guests that are made when needed."""

    def __init__(self, stage: lab_row.Stage, steps: lab_steps.Steps) -> None:
        self._stage = stage
        self._steps = steps
        self._guest: lab_guest.Guest | None = None

    def play(self, row: table.Row) -> report.Result:
        """Play a row; a guest that is not what it was is used no more."""
        began = time.monotonic()
        try:
            guest = self._guest = self._guest or self._make()
            result = lab_row.Play(self._stage, row, guest).run()
        # Whatever it was: it is this row's, and the others are played.
        except Exception as error:
            result = report.Result(
                row,
                "no end",
                time.monotonic() - began,
                None,
                (f"the row came to its end: {error}",),
            )
        if not result.holds:
            # Then it says little about the product.
            hanging = machine.hanging(self._stage.hosts)
            result = dataclasses.replace(
                result, untrue=(*result.untrue, *hanging)
            )
            self._give_up()
        self._tell(result)
        return result

    def _make(self) -> lab_guest.Guest:
        stage = self._stage
        with self._steps("a guest that counts"):
            guest = lab_guest.Guest(stage.cloud, stage.watch)
            for host in stage.hosts:
                # Nova leaves the files of a new guest to the kernel, and a
                # loss of power must not find one that is seconds old.
                host.shell.run(["sync"], 60)
        return guest

    def _give_up(self) -> None:
        """Delete the guest, by force where it must be."""
        if self._guest is not None:
            with contextlib.suppress(errors.LabError):
                servers.remove(self._stage.cloud, [lab_guest.NAME])
            self._guest = None

    def _tell(self, result: report.Result) -> None:
        self._steps.note(f"{result.seconds:6.1f} s  {report.line(result)}")
        for what in result.untrue:
            self._steps.note(f"UNTRUE  {what}")
        for what in result.left:
            self._steps.note(f"LEFT  {what}")


def main(words: list[str]) -> int:
    """Play them; the status says whether all came out as promised."""
    rows = _parse(words)
    paths, steps = lab_paths.here(), lab_steps.Steps()
    netns.enter(paths)
    hosts = tuple(machine.Host(n) for n in lab_paths.HOST_NUMBERS)
    cloud = lab_cloud.connect()
    servers.remove(cloud, [lab_guest.NAME])
    with steps("hosts audited often"):
        for host in hosts:
            audit.often(host)
    with lab_watch.Watch(hosts) as watch:
        matrix = Matrix(lab_row.Stage(cloud, watch, hosts), steps)
        results = [matrix.play(row) for row in rows]
        servers.remove(cloud, [lab_guest.NAME])
    report.keep(results, paths.lab / "faults.json")
    print(report.render(results))
    return 0 if all(result.holds for result in results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except errors.LabError as error:
        sys.exit(f"lab/faults: {error}")
