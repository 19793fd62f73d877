# SPDX-License-Identifier: Apache-2.0
"""The matrix as it came out: a table to read, and JSON to keep."""

import collections.abc
import dataclasses
import json
import pathlib

import prettytable

from lab.damage import history as lab_history
from lab.damage import table

_HEADINGS = (
    "row",
    "promised",
    "came out",
    "silent s",
    "counter",
    "checksum",
    "left",
    "verdict",
)


@dataclasses.dataclass(frozen=True)
class Result:
    """What came out of a row.

    :param outcome: where the guest is, and how it came there
    :param seconds: from the request to the verdict
    :param history: None when the row came to no end
    :param untrue: what is not as promised; nothing in a row that holds
    :param left: what is left of the move
    """

    row: table.Row
    outcome: str
    seconds: float
    history: lab_history.History | None
    untrue: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether all came out as promised."""
        return not (self.untrue or self.left)

    def as_json(self) -> dict[str, object]:
        """The row as it is kept."""
        seen = self.history
        return {
            "row": self.row.name,
            "promise": self.row.promise.value,
            "outcome": self.outcome,
            "seconds": round(self.seconds, 1),
            "silence": seen and round(seen.silence, 1),
            "before": seen and dataclasses.asdict(seen.stop),
            "after": seen and dataclasses.asdict(seen.resume),
            "untrue": self.untrue,
            "left": self.left,
            "holds": self.holds,
        }


def line(result: Result) -> str:
    """One row in one line."""
    return " | ".join(_cells(result))


def render(results: collections.abc.Sequence[Result]) -> str:
    """All rows as a table, with its totals."""
    rendered = prettytable.PrettyTable(_HEADINGS, align="l")
    for result in results:
        rendered.add_row(_cells(result))
    held = sum(result.holds for result in results)
    return f"{rendered}\n{held} of {len(results)} rows hold"


def keep(
    results: collections.abc.Sequence[Result], path: pathlib.Path
) -> None:
    """Write all rows to a file."""
    path.write_text(json.dumps([r.as_json() for r in results], indent=1))


def _cells(result: Result) -> list[str]:
    seen = result.history
    return [
        result.row.name,
        result.row.promise.value,
        result.outcome,
        f"{seen.silence:.1f}" if seen else "-",
        f"{seen.stop.count} -> {seen.resume.count}" if seen else "-",
        _checksum(seen) if seen else "-",
        str(len(result.left)) if result.left else "nothing",
        "holds" if result.holds else "FAILS",
    ]


def _checksum(seen: lab_history.History) -> str:
    same = seen.ticks[0].checksum == seen.ticks[-1].checksum
    return "equal" if same else "another"
