# SPDX-License-Identifier: Apache-2.0
"""What is on the disk of a guest that is off, read on this machine."""

import dataclasses
import pathlib
import subprocess
import tempfile

from lab.frame import errors
from lab.frame import paths as lab_paths
from lab.hosts import image
from lab.hosts import machine
from lab.hosts import rootfs
from lab.proof import ticks
from lab.proof import verdict as lab_verdict
from lab.proof import watch as lab_watch

#: Bytes of a record of the lab's guest, see guest/init.c.
_RECORD = 48
# $1 is the disk. With its backing file in it: that is on the host alone.
_FLATTEN = """set -e
qemu-img check -q "$1"
qemu-img convert -O qcow2 "$1" "$1.flat"
cat "$1.flat"
rm "$1.flat"
"""


@dataclasses.dataclass(frozen=True)
class Contents:
    """A file system as it was found.

    :param check: what e2fsck says of it; empty when it is clean
    :param records: boot id and number of each record, in their order
    """

    check: str
    records: tuple[tuple[str, int], ...]


def read(host: machine.Host, server: str) -> Contents:
    """Check and read the disk of a server that is off.

    :param server: its UUID
    :raises LabError: there is none, or it cannot be read
    """
    disk = f"{lab_watch.INSTANCES}/{server}/disk"
    answer = host.shell.try_run(["sh", "-c", _FLATTEN, "flatten", disk], 60)
    if answer is None or answer.returncode:
        told = answer.stderr.decode() if answer else "no end"
        raise errors.LabError(f"{host.name}: {disk}: {told}")
    with tempfile.TemporaryDirectory() as directory:
        flat, raw = pathlib.Path(directory, "flat"), f"{directory}/raw"
        flat.write_bytes(answer.stdout)
        tree = image.current(lab_paths.here()).rootfs
        convert = [*rootfs.qemu(tree, "qemu-img"), "convert", "-O", "raw"]
        subprocess.run([*convert, str(flat), raw], check=True)
        check = subprocess.run(
            ["e2fsck", "-f", "-n", raw], capture_output=True, text=True
        )
        file = subprocess.run(
            ["debugfs", "-R", "cat /records", raw],
            capture_output=True,
            text=True,
            check=True,
        )
    told = check.stdout + check.stderr if check.returncode else ""
    return Contents(told, records(file.stdout))


def claim_whole(
    host: machine.Host,
    server: str,
    last: ticks.Tick,
    verdict: lab_verdict.Verdict,
) -> None:
    """Claim that a server's disk is clean and has all that was written to it.

    :param server: its UUID; it is off
    :param last: what its guest said last
    """
    contents = read(host, server)
    verdict.claim(
        not contents.check, f"e2fsck finds it clean: {contents.check}"
    )
    numbers = [number for _, number in contents.records]
    boots = {boot for boot, _ in contents.records}
    verdict.claim(
        boots == {last.boot_id}
        and numbers == list(range(1, len(numbers) + 1))
        and last.records <= len(numbers) <= last.records + 1,
        f"the disk holds each record once: {len(numbers)} of {boots}, "
        f"{last.records} in memory",
    )


def records(text: str) -> tuple[tuple[str, int], ...]:
    """The records of the guest's file, of which each is whole.

    :raises LabError: the file is not made of records
    """
    if len(text) % _RECORD:
        raise errors.LabError(f"{len(text)} bytes are not whole records")
    lines = [line.rstrip("\0").split() for line in text.splitlines()]
    return tuple((boot_id, int(number)) for boot_id, number in lines)
