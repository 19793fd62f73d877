# SPDX-License-Identifier: Apache-2.0
"""The pure rooms work where neither Nova nor libvirt is installed.

``test_packaging_rooms`` reads what they import; here they are imported, in a
fresh interpreter in which those two cannot be.
"""

import ast
import subprocess
import sys

import ddt
import testtools

from tests.unit import sources
from tests.unit import test_packaging_rooms

BLOCKED = ('nova', 'libvirt', 'libvirtmod', 'eventlet')

PROGRAM = """
import importlib, sys
for name in {blocked}:
    sys.modules[name] = None
for name in {names}:
    importlib.import_module(name)
"""


def modules(room):
    """Dotted names of the modules of a room."""
    for path in sources.files(f'{sources.PACKAGE}/**.py'):
        if path.parts[1].removesuffix('.py') == room:
            yield '.'.join(path.with_suffix('').parts).removesuffix(
                '.__init__'
            )


def import_all(names, then=''):
    """Import the modules in a new interpreter; what it says of it."""
    program = PROGRAM.format(blocked=BLOCKED, names=list(names)) + then
    run = subprocess.run(
        [sys.executable, '-c', program],
        cwd=sources.ROOT,
        capture_output=True,
        text=True,
    )
    return run.stderr


@ddt.ddt
class PureTestCase(testtools.TestCase):
    def test_without_nova_and_libvirt(self):
        rooms = sorted({*test_packaging_rooms.PURE, 'client'})
        names = [name for room in rooms for name in modules(room)]
        self.assertGreater(len(names), len(rooms))
        self.assertEqual('', import_all(names))

    def test_the_block_holds(self):
        self.assertIn(
            'ModuleNotFoundError', import_all(['nova_numa_migrate.fit'])
        )

    def test_a_named_map_is_decided_without_scipy(self):
        # Half a second and 50 MiB, of each service that takes a hint.
        loaded = import_all(
            ['nova_numa_migrate.placement.core'],
            'assert not {"scipy", "numpy"} & set(sys.modules)',
        )
        self.assertEqual('', loaded)

    @ddt.data('__init__.py', 'cmd/__init__.py', 'cmd/compute.py')
    def test_nothing_is_imported_before_nova_chooses_its_threads(self, path):
        text = (sources.ROOT / sources.PACKAGE / path).read_text()
        imported = [
            node
            for node in ast.parse(text).body
            if isinstance(node, (ast.Import, ast.ImportFrom))
            # A statement of the compiler, which loads nothing of ours.
            and getattr(node, 'module', None) != '__future__'
        ]
        self.assertEqual([], imported)
