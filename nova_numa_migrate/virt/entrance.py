# SPDX-License-Identifier: Apache-2.0
"""Where one step of a method of Nova's is replaced, once, for one instance.

Nova's methods do much around the step that a move does in its own way.  While
such a method runs, the step's own override asks here for what takes its
place; a step of another instance, of another thread, or a second one, is
Nova's.  Pure: no Nova import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
import threading
from typing import Any


class Entrance:
    """The steps that are replaced at this moment, of each thread its own."""

    def __init__(self) -> None:
        self._replaced = threading.local()

    def run(
        self, step: str, instance: str, call: Any, method: Callable[[], Any]
    ) -> Any:
        """Run the method with the step of the instance replaced, once.

        :param instance: the uuid.
        :param call: what the step's override will find.
        :returns: what the method returns.
        """
        with self._replacing(step, instance, call):
            return method()

    def take(self, step: str, instance: str) -> Any | None:
        """What replaces the step of this instance, if anything does."""
        replaced = getattr(self._replaced, step, None)
        if replaced is None or replaced[0] != instance:
            return None
        setattr(self._replaced, step, None)
        return replaced[1]

    @contextlib.contextmanager
    def _replacing(
        self, step: str, instance: str, call: Any
    ) -> Iterator[None]:
        setattr(self._replaced, step, (instance, call))
        try:
            yield
        finally:
            setattr(self._replaced, step, None)
