# SPDX-License-Identifier: Apache-2.0
"""The checkout's files and the imports in them, for tests of the whole."""

import ast
from collections.abc import Iterator
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = 'nova_numa_migrate'


def files(*patterns: str) -> list[pathlib.Path]:
    """What git tracks or would track, relative to the checkout's top."""
    listed = subprocess.run(
        ['git', 'ls-files', '-co', '--exclude-standard', '--', *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = [pathlib.Path(line) for line in listed.stdout.splitlines()]
    return [name for name in names if (ROOT / name).is_file()]


def imports(path: pathlib.Path) -> Iterator[str]:
    """Dotted names that a module imports anywhere in it.

    ``from a import b`` gives ``a.b``, for ``b`` may be a module.
    """
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f'{node.module}.{alias.name}' for alias in node.names)
