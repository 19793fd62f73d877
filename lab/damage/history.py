# SPDX-License-Identifier: Apache-2.0
"""What a guest said while something broke, and whether it may say so."""

import collections.abc
import dataclasses
import itertools

from lab.damage import table
from lab.proof import ticks as lab_ticks

# A line may be under way when the guest is stopped.
_UNDER_WAY = 2
# From the source to the destination, and back again.
_CHANGES = 2


@dataclasses.dataclass(frozen=True)
class Deaf:
    """A host that could not write down what a guest there said.

    :param seconds: for how long, while the guest went on
    """

    host: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class History:
    """Ticks of a guest in the order in which they were heard.

    :param ticks: from the last before the fault to the end of the row; the
        first two at least
    """

    ticks: tuple[lab_ticks.Tick, ...]

    @property
    def stop(self) -> lab_ticks.Tick:
        """The last tick before the longest silence."""
        return self._longest[0]

    @property
    def resume(self) -> lab_ticks.Tick:
        """The first tick after it."""
        return self._longest[1]

    @property
    def silence(self) -> float:
        """Its length in seconds."""
        return self.resume.heard - self.stop.heard

    @property
    def _longest(self) -> tuple[lab_ticks.Tick, lab_ticks.Tick]:
        return max(
            itertools.pairwise(self.ticks),
            key=lambda pair: pair[1].heard - pair[0].heard,
        )

    def untrue(
        self, promise: table.Promise, deaf: Deaf | None = None
    ) -> list[str]:
        """What of the promise the guest itself refutes.

        :param deaf: where a guest may have gone on unheard
        """
        if promise is table.Promise.BOOTS:
            return [*self._not_intact(), *self._not_booted()]
        return [
            *self._not_intact(),
            *self._not_the_same(),
            *self._not_alone(),
            *self._not_from_the_stop(deaf),
        ]

    def _not_intact(self) -> collections.abc.Iterator[str]:
        for tick in self.ticks:
            if not tick.intact:
                yield f"memory and disk are as the guest left them: {tick}"
                return

    def _not_the_same(self) -> collections.abc.Iterator[str]:
        if len({tick.boot_id for tick in self.ticks}) != 1:
            yield "the guest has not booted anew"
        sums = {tick.checksum for tick in self.ticks if tick.passes}
        if len(sums) != 1:
            yield f"the pattern has one checksum: {sorted(sums)}"

    def _not_alone(self) -> collections.abc.Iterator[str]:
        """Two guests at a time would be heard in turns."""
        hosts = [
            key for key, _ in itertools.groupby(t.host for t in self.ticks)
        ]
        if len(hosts) > 1 + _CHANGES:
            yield f"there is one guest at a time: heard on {hosts}"

    def _not_from_the_stop(
        self, deaf: Deaf | None
    ) -> collections.abc.Iterator[str]:
        """Wherever it goes on, it goes on from where it was stopped."""
        source = self.ticks[0].host
        stop = 0
        for before, after in itertools.pairwise(self.ticks):
            if before.host == source and before.count >= stop:
                stop = before.count
            back = after.host == source
            base = stop if back else max(stop, before.count)
            unheard = _UNDER_WAY
            if deaf and after.host == deaf.host:
                unheard += int(deaf.seconds / lab_ticks.SECONDS)
            if not 0 <= after.count - base <= unheard:
                yield f"the counter goes on from its stop: {before} {after}"
                return

    def _not_booted(self) -> collections.abc.Iterator[str]:
        boots = [
            k for k, _ in itertools.groupby(t.boot_id for t in self.ticks)
        ]
        if len(boots) != 2:
            yield f"the guest has booted anew, once: {boots}"
        if len({tick.host for tick in self.ticks}) != 1:
            yield "it was left on its source"
        if self.ticks[-1].records <= self.ticks[0].records:
            yield f"it has its disk: {self.ticks[0]}, {self.ticks[-1]}"
