# SPDX-License-Identifier: Apache-2.0
"""Root disks in a storage cluster, one for all hosts, with snapshots.

Nova's fixture lets any snapshot be rolled back to.  In a cluster it has to be
there, and what was written after it is gone then.
"""

from __future__ import annotations

import functools
import pathlib
from typing import Any

import fixtures
from nova import exception
from nova.tests import fixtures as nova_fixtures


class FakeRbdFixture(fixtures.Fixture):
    """To be used before Nova's fixture of the image backend."""

    def _setUp(self) -> None:
        #: What was written to the root disk of each server.
        self.contents: dict[str, str] = {}
        self._snapshots: dict[tuple[str, str], str] = {}
        backend = nova_fixtures.LibvirtImageBackendFixture
        novas = backend._mock_disk

        def with_snapshots(fixture: Any) -> Any:
            disk = novas(fixture)
            for name in ('create_snap', 'remove_snap', 'rollback_to_snap'):
                fake = functools.partial(getattr(self, f'_{name}'), disk)
                getattr(disk, name).side_effect = fake
            return disk

        self.useFixture(
            fixtures.MockPatchObject(backend, '_mock_disk', with_snapshots)
        )

    def write(self, server: str, text: str) -> None:
        """What a guest does that writes."""
        self.contents[server] = self.contents.get(server, '') + text

    @property
    def snapshots(self) -> set[str]:
        """The names of all that there are."""
        return {name for _, name in self._snapshots}

    def _create_snap(self, disk: Any, name: str) -> None:
        if (_server(disk), name) in self._snapshots:
            raise FileExistsError(f'snapshot {name} exists')
        self._snapshots[_server(disk), name] = self.contents.get(
            _server(disk), ''
        )

    def _remove_snap(
        self, disk: Any, name: str, ignore_errors: bool = False
    ) -> None:
        self._snapshots.pop((_server(disk), name), None)

    def _rollback_to_snap(self, disk: Any, name: str) -> None:
        if (_server(disk), name) not in self._snapshots:
            raise exception.SnapshotNotFound(snapshot_id=name)
        self.contents[_server(disk)] = self._snapshots[_server(disk), name]


def _server(disk: Any) -> str:
    return pathlib.Path(disk.path).parent.name
