# SPDX-License-Identifier: Apache-2.0
"""What was promised and what of it was found untrue."""

import threading


class Verdict:
    """Collector of claims; one object may be used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = 0
        self._untrue: list[str] = []

    def claim(self, true: bool, what: str) -> bool:
        """Note whether a claim holds.

        :param what: the claim, with the values that it was made of
        :returns: whether it holds
        """
        with self._lock:
            if true:
                self._held += 1
            else:
                self._untrue.append(what)
        return true

    @property
    def untrue(self) -> tuple[str, ...]:
        """Claims that do not hold."""
        with self._lock:
            return tuple(self._untrue)

    @property
    def held(self) -> int:
        """Number of claims that hold."""
        with self._lock:
            return self._held
