# SPDX-License-Identifier: Apache-2.0
"""Where the host's kernel says that a guest's memory and CPUs are."""

import dataclasses
import re
import typing

from lab.frame import errors

PAGE_KIB = 4
# $1 is the domain's name.
_READ = """set -e
process=/proc/$(cat "/run/libvirt/qemu/$1.pid")
cat $process/maps
echo =
cat $process/numa_maps
echo =
for thread in $process/task/*; do
    echo "$(cat $thread/comm):$(grep Cpus_allowed_list $thread/status)"
done
"""
_VCPU = re.compile(r"CPU (\d+)/\w+:Cpus_allowed_list:\s*(\S+)")
_NODE = re.compile(r"N(\d+)=(\d+)")


@dataclasses.dataclass(frozen=True)
class Area:
    """A mapped range of a process.

    :param size: bytes
    :param policy: memory policy, as ``bind:1``
    :param pages: small pages found on each host node
    :param page_kib: size of the pages that it has
    """

    size: int
    policy: str
    pages: dict[int, int]
    page_kib: int = PAGE_KIB

    def share(self, node: int) -> float:
        """Percentage of the pages that are on a node; 0 without pages."""
        total = sum(self.pages.values())
        return 100.0 * self.pages.get(node, 0) / total if total else 0.0


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was read of one emulator.

    :param areas: all its mapped ranges
    :param pinning: CPUs that each virtual CPU's thread may use
    """

    areas: tuple[Area, ...]
    pinning: dict[int, str]

    def cell(self, mib: int) -> Area:
        """The memory of a guest cell, found by its size.

        :raises LabError: no range, or more than one, has that size
        """
        found = [area for area in self.areas if area.size == mib << 20]
        if len(found) != 1:
            raise errors.LabError(
                f"{len(found)} ranges of the emulator have {mib} MiB"
            )
        return found[0]


class _Runner(typing.Protocol):
    def run(
        self, command: list[str], timeout: float, stdin: bytes | None = None
    ) -> str: ...


def measure(shell: _Runner, domain: str) -> Measured:
    """Read the state of a running guest's emulator.

    :param shell: root's account on the guest's host
    :param domain: name of the guest in libvirt
    :raises LabError: it does not run there
    """
    return parse(shell.run(["sh", "-c", _READ, "read", domain], 60))


def parse(text: str) -> Measured:
    """Join the three parts that the host's script prints."""
    maps, numa_maps, threads = text.split("=\n")
    sizes = dict(_sizes(maps))
    areas = []
    for line in numa_maps.splitlines():
        start, policy, *rest = line.split()
        size = sizes.get(int(start, 16))
        if size is not None:
            kib = _page_kib(rest)
            areas.append(Area(size, policy, _pages(rest, kib), kib))
    pinning = {int(n): cpus for n, cpus in _VCPU.findall(threads)}
    return Measured(tuple(areas), pinning)


def _sizes(maps: str) -> typing.Iterator[tuple[int, int]]:
    for line in maps.splitlines():
        start, end = (int(n, 16) for n in line.split()[0].split("-"))
        yield start, end - start


def _page_kib(words: list[str]) -> int:
    sizes = [w for w in words if w.startswith("kernelpagesize_kB=")]
    return int(sizes[0].partition("=")[2]) if sizes else PAGE_KIB


def _pages(words: list[str], kib: int) -> dict[int, int]:
    found = filter(None, map(_NODE.fullmatch, words))
    return {int(m[1]): int(m[2]) * kib // PAGE_KIB for m in found}
