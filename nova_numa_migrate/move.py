# SPDX-License-Identifier: Apache-2.0
"""The move: what the compute services remember of one hinted migration.

It lives in the instance's system metadata from the destination's claim to the
confirm or revert, so that every hop of the migration, and a service that was
restarted in the middle of it, sees the same facts.  Pure: no Nova import.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
import dataclasses
import enum
import json
from typing import Self

from nova_numa_migrate import metadata as texts
from nova_numa_migrate.hint import CheckpointMode
from nova_numa_migrate.hint import NodeMap

#: The key in Instance.system_metadata.
MOVE_KEY = 'numa_migrate'


class State(enum.StrEnum):
    """What became of the guest's state."""

    #: The source has not decided yet.
    OPEN = 'open'
    #: Memory, registers and devices are in a checkpoint.
    SAVED = 'saved'
    #: The guest has gone on from it at the destination.
    RESTORED = 'restored'
    #: The destination could not start it, and it has never run there.
    RETURNING = 'returning'
    #: It has run at the destination, was saved there again for a revert, and
    #: goes on at its source.
    HOMEWARD = 'homeward'
    #: The guest was moved without its state: it was stopped, or asked so.
    NONE = 'none'


class Disks(enum.StrEnum):
    """What a revert finds of the guest's disks."""

    #: Each as it was saved: files, of which Nova keeps those of the source.
    KEPT = 'kept'
    #: Each as the guest left it: volumes, which both hosts write to, and any
    #: of a guest that stays on its host.
    SHARED = 'shared'
    #: Some of each kind.
    MIXED = 'mixed'


@dataclasses.dataclass(frozen=True)
class Move:
    """One hinted migration of one instance.

    ``migration`` is the uuid of Nova's migration record, ``in_place`` tells
    that the guest changes its nodes and stays on its host; once there is a
    checkpoint, ``digest`` is that of the newest if it was sent, ``disks``
    tells what it was taken with, and ``home`` is the source's address for
    copies.  ``disk_info`` is what Nova's driver said of the disks when they
    left the source, for the destination's.
    """

    migration: str
    node_map: NodeMap
    checkpoint: CheckpointMode
    state: State = State.OPEN
    digest: str = ''
    disks: Disks = Disks.MIXED
    home: str = ''
    in_place: bool = False
    disk_info: str = ''

    def store(self, metadata: MutableMapping[str, str]) -> None:
        """Write this move into an instance's system metadata."""
        stored = {
            'migration': self.migration,
            'nodes': str(self.node_map),
            'checkpoint': self.checkpoint,
            'state': self.state,
            'digest': self.digest,
            'disks': self.disks,
            'home': self.home,
            'in_place': self.in_place,
            'disk_info': self.disk_info,
        }
        texts.put(
            metadata, MOVE_KEY, json.dumps(stored, separators=(',', ':'))
        )

    def with_state(self, state: State) -> Self:
        """The same move, a step further."""
        return dataclasses.replace(self, state=state)

    def left(self, disk_info: str) -> Self:
        """The same move, with the disks on their way."""
        return dataclasses.replace(self, disk_info=disk_info)

    def saved(self, digest: str, disks: Disks, home: str) -> Self:
        """The same move, with the checkpoint of that digest."""
        return dataclasses.replace(
            self, state=State.SAVED, digest=digest, disks=disks, home=home
        )

    def homeward(self, digest: str) -> Self:
        """The same move on its way back, with a new checkpoint."""
        return dataclasses.replace(self, state=State.HOMEWARD, digest=digest)

    @classmethod
    def of(
        cls, metadata: Mapping[str, str], migration: str | None = None
    ) -> Self | None:
        """The move stored in an instance's system metadata, or None.

        :param migration: when given, only the move of that migration counts;
            one left over from another migration is no move.
        """
        text = texts.get(metadata, MOVE_KEY)
        if not text:
            return None
        stored = json.loads(text)
        if migration is not None and stored['migration'] != migration:
            return None
        return cls(
            stored['migration'],
            NodeMap.parse(stored['nodes']),
            CheckpointMode.parse(stored['checkpoint']),
            State(stored['state']),
            stored['digest'],
            Disks(stored['disks']),
            stored['home'],
            stored['in_place'],
            stored['disk_info'],
        )


def forget(metadata: MutableMapping[str, str]) -> None:
    """Remove what is known of a move, and of the placement it led to."""
    for key in [k for k in metadata if k.startswith(MOVE_KEY)]:
        del metadata[key]
