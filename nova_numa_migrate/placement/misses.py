# SPDX-License-Identifier: Apache-2.0
"""Hosts that cannot take a guest, the nearest miss first (pure)."""

from __future__ import annotations

from collections.abc import Iterable
import dataclasses
import math


@dataclasses.dataclass(frozen=True, order=True)
class Miss:
    """A host that was refused.

    ``lacks`` counts what would have to change there; ``text`` names the host
    and all of it.
    """

    lacks: float
    text: str

    @classmethod
    def altogether(cls, text: str) -> Miss:
        """One that could not take the guest, whatever became free on it."""
        return cls(math.inf, text)


def nearest(misses: Iterable[Miss], count: int) -> list[str]:
    """The texts of so many of them, and how many more there are."""
    ordered = sorted(misses)
    texts = [miss.text for miss in ordered[:count]]
    more = len(ordered) - count
    return [*texts, f'and {more} more hosts'] if more > 0 else texts
