# SPDX-License-Identifier: Apache-2.0
"""The progress bar of ``server migrate --hint ... --wait``.

The phases are events of the server's action, which the hosts write as they
come to them.  It is drawn on the standard error, and for people alone: a pipe
or a file gets nothing of it.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
from typing import Any, TextIO

#: In the order of a move; a guest without state skips all between the ends,
#: and one that stays on its host skips the transfer.
PHASES = ('check', 'checkpoint', 'transfer', 'restore', 'verify')

_EVENT = 'numa_migrate_'
_CELLS = 4
_WIDTH = max(map(len, PHASES))

Show = Callable[[Sequence[Any]], None]


@contextlib.contextmanager
def shown(stream: TextIO) -> Iterator[Show | None]:
    """What draws the bar for the events so far, None for no terminal.

    A bar is full when nothing went wrong within.
    """
    if not stream.isatty():
        yield None
        return
    _draw(stream, 0, PHASES[0])
    try:
        yield lambda events: _draw(stream, *phase(events))
        _draw(stream, len(PHASES), 'moved')
    finally:
        stream.write('\n')
        stream.flush()


def phase(events: Sequence[Any]) -> tuple[int, str]:
    """How many phases are over, and the one that is under way.

    A move that is tried on the next host begins again.

    :param events: of the server's action, oldest first.
    """
    done, now = 0, 0
    for event in events:
        name = str(event.event).removeprefix(_EVENT)
        if name in PHASES:
            now = PHASES.index(name)
            done = now + (event.result == 'Success')
    return done, PHASES[min(max(done, now), len(PHASES) - 1)]


def _draw(stream: TextIO, done: int, name: str) -> None:
    full = '#' * (_CELLS * done)
    bar = full.ljust(_CELLS * len(PHASES), '.')
    stream.write(f'\r[{bar}] {done}/{len(PHASES)} {name:<{_WIDTH}}')
    stream.flush()
