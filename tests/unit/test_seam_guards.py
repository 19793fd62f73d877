# SPDX-License-Identifier: Apache-2.0
"""The installed Nova still looks as the package's seams were written for."""

from __future__ import annotations

import ast
import collections
from importlib import metadata
import pathlib
import re
import unittest

import ddt  # type: ignore[import-untyped,unused-ignore]

from tests.unit import nova_seams

_PACKAGE = pathlib.Path(__file__).parents[2] / 'nova_numa_migrate'
_SEAMS = {seam.where: seam for seam in nova_seams.read()}
_RELEASE = metadata.version('nova')


def _nova() -> pathlib.Path:
    return pathlib.Path(str(metadata.distribution('nova').locate_file('')))


@ddt.ddt
class SeamGuardsTest(unittest.TestCase):
    maxDiff = None

    @ddt.data(*_SEAMS)
    def test_looks_as_known(self, where):
        seam = _SEAMS[where]
        try:
            look, digest = nova_seams.fingerprint(_nova(), where)
        except nova_seams.Absent:
            self.fail(self._advice(seam, 'is gone'))
        if look not in seam.looks:
            change = f'looks new: {look}\nKnown: {_listed(seam.looks)}'
            self.fail(self._advice(seam, change))
        if seam.body and digest not in seam.bodies:
            change = f'has a new body\nKnown: {_listed(seam.bodies)}'
            self.fail(self._advice(seam, change))

    def _advice(self, seam, change):
        return (
            f'{seam.where} of Nova {_RELEASE} {change}\n'
            f'We touch it because: {seam.why}\n'
            'Compare it with the last release that is known, adapt the '
            'package, run the functional tests, and only then learn the '
            'release with "python -m tests.unit.nova_seams".'
        )

    def test_every_override_is_in_the_table(self):
        missing = [where for where in self._overrides() if where not in _SEAMS]
        self.assertEqual([], missing)

    def _overrides(self):
        """module:Class.method of Nova's for each method that we override."""
        for path in sorted(_PACKAGE.rglob('*.py')):
            tree = ast.parse(path.read_text())
            imported = _imported_modules(tree)
            for cls in (n for n in tree.body if isinstance(n, ast.ClassDef)):
                for base in cls.bases:
                    alias, _, name = ast.unparse(base).partition('.')
                    if alias in imported:
                        yield f'{imported[alias]}:{name}'
                        yield from self._methods(cls, imported[alias], name)

    def _methods(self, cls, module, name):
        for method in cls.body:
            if not isinstance(method, ast.FunctionDef):
                continue
            where = f'{module}:{name}.{method.name}'
            try:
                nova_seams.fingerprint(_nova(), where)
            except nova_seams.Absent:
                continue
            yield where

    def test_every_seam_is_there_once(self):
        found = collections.Counter(seam.where for seam in nova_seams.read())
        # Of two rows one reason would never be told.
        self.assertEqual([], [where for where in found if found[where] > 1])

    def test_every_seam_says_why(self):
        for where, seam in _SEAMS.items():
            with self.subTest(where):
                self.assertRegex(seam.why, r'\w+ \w+')

    def test_every_seam_is_touched(self):
        text = ''.join(p.read_text() for p in _PACKAGE.rglob('*.py'))
        for where, seam in _SEAMS.items():
            if seam.why.startswith('Relied on'):
                continue
            name = re.split('[:.]', where)[-1]
            with self.subTest(where):
                found = re.search(rf'\b{re.escape(name)}\b', text)
                self.assertIsNotNone(found, 'nothing of ours names it')

    def test_a_change_is_seen(self):
        root = _nova()
        where = 'nova.compute.manager:ComputeManager._resize_instance'
        other = 'nova.compute.manager:ComputeManager._prep_resize'
        self.assertNotEqual(
            nova_seams.fingerprint(root, where),
            nova_seams.fingerprint(root, other),
        )
        with self.assertRaises(nova_seams.Absent):
            nova_seams.fingerprint(root, where + '_nowhere')


def _imported_modules(tree):
    """Our name of a module of Nova's -> the module."""
    return {
        alias.asname or alias.name: f'{node.module}.{alias.name}'
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        and (node.module or '').split('.')[0] == 'nova'
        for alias in node.names
    }


def _listed(known):
    return '; '.join(f'{k} ({", ".join(v)})' for k, v in known.items())
