# SPDX-License-Identifier: Apache-2.0
"""Where the checkpoints of a host lie.

One directory, 0700, that belongs to the compute service: a checkpoint holds
the guest's memory, and so its secrets, and must not be readable by others
from its first byte on, whoever creates the file.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from nova_numa_migrate.checkpoint.journal import Journal
from nova_numa_migrate.checkpoint.journal import Step
from nova_numa_migrate.checkpoint.journal import sync
from nova_numa_migrate.exception import SharedCheckpoints

#: The file that names the host whose directory it is.
OWNER = '.host'


@dataclasses.dataclass(frozen=True)
class CheckpointStore:
    """The checkpoints under one directory, at most one an instance."""

    root: Path

    def prepare(self) -> None:
        """Make the directory, or take others' rights to it away.

        :raises OSError: when it cannot be made private.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)

    def claim(self, host: str) -> None:
        """Have the directory be this host's alone.

        A checkpoint has one name on both hosts.  In one directory that both
        see it would be copied onto itself, and be gone for the source as soon
        as the destination needs it no more.

        :raises SharedCheckpoints: when another host has claimed it.
        :raises OSError: when that cannot be known or written down.
        """
        mark = self.root / OWNER
        mark.touch(0o600)
        owner = mark.read_text()
        if not owner:
            mark.write_text(host)
        elif owner != host:
            raise SharedCheckpoints(
                f'checkpoint_path {self.root} is that of host {owner}, and '
                f'host {host} needs one of its own: set [numa_migrate] '
                'checkpoint_path to a local directory. If this host was '
                f'called {owner} before, remove {mark}'
            )

    def image(self, instance: str) -> Path:
        """The checkpoint file of the instance with that uuid."""
        return self.root / f'{instance}.save'

    def journal(
        self, instance: str, migration: str | None = None
    ) -> Journal | None:
        """What this host has done with the instance's checkpoint.

        :param migration: when given, only the journal of that one counts.
        :raises ValueError: when what is there is not a journal.
        """
        found = Journal.read(self._journal_path(instance))
        if found is None or migration in (None, found.migration):
            return found
        return None

    def record(self, instance: str, journal: Journal) -> None:
        """Write the next step down."""
        journal.write(self._journal_path(instance))

    def keep(self, instance: str) -> None:
        """Have the instance's checkpoint outlive the host's power.

        :raises OSError: when it is not here, or the disk does not take it.
        """
        sync(self.image(instance))
        sync(self.root)

    def awaits(self, instance: str) -> bool:
        """Whether a guest may come that was not here before."""
        journal = self.journal(instance)
        return journal is not None and journal.step is Step.AWAITED

    def spend(self, instance: str) -> None:
        """Say that the guest goes on from its checkpoint from now on.

        To be called before it does so: whoever finds a checkpoint that is
        spent knows that the guest may have written to its disks since, and
        must not restore it again.  A rename, because that outlives the loss
        of power and succeeds on a full disk.  Said twice is said once.

        :raises OSError: when it could not be said.
        """
        if not self.is_spent(instance):
            self.image(instance).rename(self._spent(instance))
            sync(self.root)

    def unspend(self, instance: str) -> None:
        """Take that back: the guest has not run.

        :raises OSError: when it could not be said.
        """
        self._spent(instance).rename(self.image(instance))
        sync(self.root)

    def is_spent(self, instance: str) -> bool:
        """Whether the guest may have gone on from its newest checkpoint."""
        return (
            self._spent(instance).exists()
            and not self.image(instance).exists()
        )

    def instances(self) -> set[str]:
        """The uuids of the instances of which there is any file.

        :raises OSError: when the directory cannot be read.
        """
        names = {path.name for path in self.root.iterdir()} - {OWNER}
        return {name.removeprefix('.').partition('.')[0] for name in names}

    def discard(self, instance: str) -> None:
        """Remove the instance's checkpoint; nothing to do is fine.

        The file goes before the journal, so that no file is ever left
        without the words that say what it is.
        """
        image = self.image(instance)
        # What rsync had begun to receive when this host lost its power.
        for part in self.root.glob(f'.{image.name}.*'):
            part.unlink(missing_ok=True)
        image.unlink(missing_ok=True)
        self._spent(instance).unlink(missing_ok=True)
        Journal.remove(self._journal_path(instance))

    def _spent(self, instance: str) -> Path:
        return self.root / f'{instance}.spent'

    def _journal_path(self, instance: str) -> Path:
        return self.root / f'{instance}.json'
