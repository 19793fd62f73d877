# SPDX-License-Identifier: Apache-2.0
"""How the hosts' reports change while something is done to a guest."""

import collections.abc
import itertools
import threading

from lab.damage import books
from lab.frame import readiness
from lab.proof import servers

#: What is in use of the nodes of a host; a node of which nothing is, is not
#: among them.
Uses = dict[int, books.Use]

_LOOK = 0.2


def of(*guests: collections.abc.Iterable[servers.Cell]) -> Uses:
    """What so many sets of guest cells use of a host together."""
    uses: Uses = {}
    for cell in itertools.chain(*guests):
        old = uses.get(cell.node, books.Use(frozenset(), 0))
        uses[cell.node] = books.Use(
            old.pins | set(cell.pinning.values()), old.mib + cell.mib
        )
    return uses


def told(pages: list[Uses]) -> str:
    """What a host has reported, for people."""
    return " -> ".join(_uses(uses) for uses in pages)


def _uses(uses: Uses) -> str:
    nodes = (
        f"{node}: CPU {','.join(map(str, sorted(use.pins)))} {use.mib} MiB"
        for node, use in sorted(uses.items())
    )
    return f"({'; '.join(nodes) or 'nothing'})"


class Ledger:
    """Reads the reports again and again while it is open."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._changes: dict[str, list[Uses]] = {}
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Ledger":
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def pages(self, host: str) -> list[Uses]:
        """What was in use of a host, each state once, in their order."""
        return list(self._changes[host])

    def wait(self, host: str, uses: Uses, timeout: float) -> None:
        """Wait until a host reports that.

        :raises LabError: it does not
        """
        readiness.wait(
            f"{uses} in use of {host}",
            lambda: self._changes[host][-1] == uses,
            timeout=timeout,
        )

    def _read(self) -> None:
        while not self._over.wait(_LOOK):
            self._look()

    def _look(self) -> None:
        for host, nodes in books.used().items():
            uses = {
                node: use
                for node, use in nodes.items()
                if use != books.Use(frozenset(), 0)
            }
            pages = self._changes.setdefault(host, [])
            if not pages or pages[-1] != uses:
                pages.append(uses)
