# SPDX-License-Identifier: Apache-2.0
"""The tables of the demonstration."""

import collections.abc
import dataclasses

import prettytable

from lab.proof import memory
from lab.proof import servers
from lab.proof import ticks


@dataclasses.dataclass(frozen=True)
class CellProof:
    """One guest cell after a move.

    :param asked: the node that the hint named
    :param claimed: the cell as Nova accounts for it
    :param found: its memory as the destination's kernel has it
    :param threads: CPUs that the thread of each of its vCPUs may use
    """

    number: int
    asked: int
    claimed: servers.Cell
    found: memory.Area
    threads: dict[int, str]


def cells(proofs: collections.abc.Sequence[CellProof]) -> str:
    """A line for each guest cell: asked, claimed and found."""
    table = prettytable.PrettyTable(
        [
            "cell",
            "asked node",
            "claimed node",
            "MiB",
            "pages per node",
            "on asked node",
            "policy",
            "vCPU: claimed CPU (thread runs on)",
        ]
    )
    for proof in proofs:
        table.add_row(
            [
                proof.number,
                proof.asked,
                proof.claimed.node,
                proof.claimed.mib,
                pages(proof.found),
                f"{proof.found.share(proof.asked):.1f}%",
                proof.found.policy,
                ", ".join(
                    f"{vcpu}: {cpu} ({proof.threads.get(vcpu, '?')})"
                    for vcpu, cpu in proof.claimed.pinning.items()
                ),
            ]
        )
    return str(table)


def state(
    before: ticks.Tick, after: ticks.Tick, first: ticks.Tick, silence: float
) -> str:
    """What the guest itself said before and after a move.

    :param before: last tick on the source
    :param after: a tick that came after the pattern was verified anew
    :param first: first tick on the destination
    :param silence: seconds in which it said nothing anywhere
    """
    table = prettytable.PrettyTable(
        ["", f"before, on {before.host}", f"after, on {after.host}"]
    )
    table.add_row(["boot id", before.boot_id, after.boot_id])
    table.add_row(
        ["counter", before.count, f"{first.count} ... {after.count}"]
    )
    table.add_row(["passes over the pattern", before.passes, after.passes])
    table.add_row(["wrong words", before.bad, after.bad])
    table.add_row(["pattern checksum", before.checksum, after.checksum])
    table.add_row(["disk, mounted", before.disk, after.disk])
    table.add_row(["records on disk", before.records, after.records])
    return f"{table}\nconsole silent for {silence:.1f} s"


def pages(area: memory.Area) -> str:
    """Pages on each node, as ``N1=20951``."""
    return " ".join(f"N{n}={c}" for n, c in sorted(area.pages.items()))
