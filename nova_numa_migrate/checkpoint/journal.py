# SPDX-License-Identifier: Apache-2.0
"""What a host has done with a checkpoint, written before the next step.

The journal stands beside the checkpoint and says which migration the file
belongs to and how far this host got with it, so that nothing has to guess
from the presence of a file.  Pure: only the file system is touched.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import os
from pathlib import Path
from typing import Self


class Step(enum.StrEnum):
    """How far a host got with a checkpoint."""

    #: Destination: checkpoint and disks may be on their way, and nothing of
    #: the guest was here before them.
    AWAITED = 'awaited'
    #: Source: the file may be incomplete, the guest may still be running.
    SAVING = 'saving'
    #: Source: the file is complete and on the disk, the guest is stopped.
    SAVED = 'saved'
    #: Source: the destination has the file; ours waits for the decision.
    SENT = 'sent'
    #: Destination: the guest may or may not be running from the file.
    RESTORING = 'restoring'


@dataclasses.dataclass(frozen=True)
class Journal:
    """The last step of one migration on this host.

    ``digest`` is that of the checkpoint, from ``sent`` on.
    """

    migration: str
    step: Step
    digest: str = ''

    def write(self, path: Path) -> None:
        """Replace the journal, durably and never half.

        :raises OSError: when the file system does not take it.
        """
        new = _unfinished(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(new, flags, 0o600), 'w') as stream:
            json.dump(dataclasses.asdict(self), stream)
            stream.flush()
            os.fsync(stream.fileno())
        new.rename(path)
        sync(path.parent)

    @staticmethod
    def remove(path: Path) -> None:
        """Remove the journal, and what a write that failed has left of one."""
        _unfinished(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The journal at that path, None where there is none.

        :raises ValueError: when the file is not a journal.
        """
        try:
            text = path.read_text()
        except FileNotFoundError:
            return None
        match json.loads(text):
            case {
                'migration': str(migration),
                'step': str(step),
                'digest': str(digest),
            }:
                return cls(migration, Step(step), digest)
        raise ValueError(f'{path} is not the journal of a checkpoint')


def sync(path: Path) -> None:
    """Have a file, or the names in a directory, outlive the host's power.

    :raises OSError: when the disk does not take it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unfinished(path: Path) -> Path:
    return path.with_suffix('.new')
