# SPDX-License-Identifier: Apache-2.0
"""A kernel's account of its nodes, as files."""

from __future__ import annotations

import pathlib

import fixtures

from nova_numa_migrate.placement import room


class FakeNodesFixture(fixtures.Fixture):
    """Nodes 0 to 3 in the place of this machine's own, 4 GiB free on each."""

    def _setUp(self) -> None:
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.useFixture(fixtures.MockPatchObject(room, 'ROOT', self.root))
        for node in range(4):
            self.set(node, 4096)

    def set(
        self, node: int, free: int, *, cache: int = 0, slab: int = 0
    ) -> None:
        """Say what is free and what can be given up on a node, in MiB."""
        directory = self.root / f'node{node}'
        directory.mkdir(exist_ok=True)
        values = {
            'MemTotal': 8192,
            'MemFree': free,
            'Active(file)': cache // 2,
            'Inactive(file)': cache - cache // 2,
            'SReclaimable': slab,
        }
        (directory / 'meminfo').write_text(
            ''.join(
                f'Node {node} {f"{name}:":<16} {mib * 1024:>9} kB\n'
                for name, mib in values.items()
            )
            + f'Node {node} HugePages_Total:     0\n'
        )

    def set_distances(self, rows: list[list[int]]) -> None:
        """Say how far each node is from each."""
        for node, row in enumerate(rows):
            file = self.root / f'node{node}' / 'distance'
            file.write_text(' '.join(map(str, row)) + '\n')

    def set_huge(self, node: int, page_kib: int, free: int) -> None:
        """Say how many pages are free in a pool of a node."""
        pool = self.root / f'node{node}' / 'hugepages'
        pool /= f'hugepages-{page_kib}kB'
        pool.mkdir(parents=True)
        (pool / 'free_hugepages').write_text(f'{free}\n')
