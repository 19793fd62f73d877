# SPDX-License-Identifier: Apache-2.0
"""The binding: the host nodes of a bare guest.

A bare guest is one without a virtual NUMA topology: Nova has no cells to
account for, and a topology stored for it would change what the guest sees and
break its live migration.  So its nodes are the host's affair alone.  They are
kept in the instance's system metadata, and put into the guest's XML whenever
Nova writes that.  On one node the memory is bound to it, over several it is
interleaved, page by page; the vCPUs are shared out over them.  Pure: no Nova
import.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
import dataclasses
import itertools
import json
from typing import Any, Self

from nova_numa_migrate import metadata as texts
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.move import MOVE_KEY

#: The key in Instance.system_metadata; it outlives the move.
BINDING_KEY = 'numa_binding'
#: What a revert puts back; it is forgotten with the move.
_BEFORE_KEY = f'{MOVE_KEY}_binding_before'
#: Where nothing is stored.
_NOTHING = 'null'


@dataclasses.dataclass(frozen=True)
class Share:
    """What a bare guest has of one host node.

    ``vcpus`` are those pinned to the node's shared CPUs; ``memory`` is in
    MiB, rounded up.
    """

    node: int
    vcpus: range
    memory: int


def shares(nodes: Sequence[int], vcpus: int, memory: int) -> Iterator[Share]:
    """A bare guest's equal shares of the nodes, in their order.

    The first ones get the vCPUs that are left over.

    :param vcpus: how many the guest has.
    :param memory: MiB of the whole guest.
    """
    each, more = divmod(vcpus, len(nodes))
    counts = (each + (position < more) for position in range(len(nodes)))
    ends = itertools.accumulate(counts, initial=0)
    for node, (first, end) in zip(
        nodes, itertools.pairwise(ends), strict=True
    ):
        yield Share(node, range(first, end), -(-memory // len(nodes)))


@dataclasses.dataclass(frozen=True)
class Binding:
    """The nodes of one host that a bare guest is bound to there.

    On another host the same ids are other nodes: there it is no binding.
    """

    host: str
    nodes: tuple[int, ...]

    @classmethod
    def of(cls, metadata: Mapping[str, str], host: str | None) -> Self | None:
        """The binding of an instance to nodes of that host, or None."""
        found = cls._read(
            json.loads(texts.get(metadata, BINDING_KEY) or _NOTHING)
        )
        return found if found and found.host == host else None

    @classmethod
    def before(
        cls, metadata: Mapping[str, str], migration: str
    ) -> Self | None:
        """The binding that a revert of that migration puts back."""
        known = _changed(metadata, migration)
        return cls._read(known['was']) if known else None

    @classmethod
    def _read(cls, stored: Any) -> Self | None:
        if stored is None:
            return None
        return cls(stored['host'], NodeMap.parse(stored['nodes']).nodes)

    def to_primitive(self) -> dict[str, str]:
        """For JSON."""
        return {'host': self.host, 'nodes': str(NodeMap(self.nodes))}


def place(metadata: MutableMapping[str, str], new: Binding | None) -> None:
    """Bind the guest so from now on, for good."""
    if new is None:
        texts.remove(metadata, BINDING_KEY)
    else:
        texts.put(metadata, BINDING_KEY, _dumped(new.to_primitive()))


def replace(
    metadata: MutableMapping[str, str], new: Binding | None, migration: str
) -> bool:
    """Bind the guest so from now on, until the migration is reverted.

    :param migration: its uuid.
    :returns: whether that changes anything.
    """
    old = texts.get(metadata, BINDING_KEY)
    if old is None and new is None:
        return False
    was = json.loads(old or _NOTHING)
    texts.put(
        metadata, _BEFORE_KEY, _dumped({'migration': migration, 'was': was})
    )
    place(metadata, new)
    return True


def put_back(metadata: MutableMapping[str, str], migration: str) -> bool:
    """Bind the guest as before the migration, if that has changed it.

    :returns: whether it had.
    """
    if _changed(metadata, migration) is None:
        return False
    place(metadata, Binding.before(metadata, migration))
    texts.remove(metadata, _BEFORE_KEY)
    return True


def _changed(metadata: Mapping[str, str], migration: str) -> Any | None:
    """What was before that migration; one left over from another is none.

    A host without the plugin that ends a migration takes nothing away.
    """
    known = json.loads(texts.get(metadata, _BEFORE_KEY) or _NOTHING)
    return known if known and known['migration'] == migration else None


def _dumped(stored: Any) -> str:
    return json.dumps(stored, separators=(',', ':'))
