# SPDX-License-Identifier: Apache-2.0
"""Fingerprints of what of Nova's the package touches, and their table.

``nova_seams.yaml`` lists every name of Nova's that is subclassed, overridden,
wrapped, replaced or read privately, why, and how it looked in each release it
was read in.  A name is read from Nova's source, so that nothing of it has to
be imported.  A new release is added after the changes were read::

    python -m tests.unit.nova_seams SITE_PACKAGES RELEASE
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
import copy
import dataclasses
import functools
import hashlib
import pathlib
import sys
import textwrap
from typing import Any

import yaml  # type: ignore[import-untyped]

TABLE = pathlib.Path(__file__).with_name('nova_seams.yaml')

_HEAD = """\
# SPDX-License-Identifier: Apache-2.0
#
# What of Nova's the package touches, and why; see nova_seams.py.
# "body: true" where the order of what the function does is relied on.
"""


class Absent(LookupError):
    """There is no such name in this release."""


@dataclasses.dataclass
class Seam:
    """One name of Nova's.

    ``where`` is ``module:qualified.name``.  ``looks`` maps what it looked
    like, to the releases in which it did; so does ``bodies``, by the digest
    of its source, where ``body`` says that its source matters.
    """

    where: str
    why: str
    body: bool = False
    looks: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    bodies: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def learn(self, site_packages: pathlib.Path, release: str) -> None:
        """Add how it looks in a release."""
        look, digest = fingerprint(site_packages, self.where)
        _note(self.looks, look, release)
        if self.body:
            _note(self.bodies, digest, release)


def _note(known: dict[str, list[str]], key: str, release: str) -> None:
    releases = known.setdefault(key, [])
    if release not in releases:
        releases.append(release)


def read() -> list[Seam]:
    """The table."""
    return [Seam(**row) for row in yaml.safe_load(TABLE.read_text())]


def write(seams: Iterable[Seam]) -> None:
    """Replace the table."""
    rows = [
        {k: v for k, v in dataclasses.asdict(seam).items() if v}
        for seam in seams
    ]
    text = yaml.safe_dump(
        rows, sort_keys=False, width=76, default_flow_style=None
    )
    TABLE.write_text(_HEAD + text)


def fingerprint(site_packages: pathlib.Path, where: str) -> tuple[str, str]:
    """How a name looks, and the digest of its source.

    A function looks like its decorators and its signature without the
    annotations, a class like its bases, anything else like its source.

    :raises Absent: when the module does not bind it.
    """
    module, _, name = where.partition(':')
    path = site_packages.joinpath(*module.split('.'))
    path = path / '__init__.py' if path.is_dir() else path.with_suffix('.py')
    if not path.is_file():
        raise Absent(where)
    source, node = _parsed(path)
    for part in name.split('.'):
        node = _binding(node, part, where)
    return _look(node), _digest(source, node)


@functools.cache
def _parsed(path: pathlib.Path) -> tuple[str, ast.AST]:
    source = path.read_text()
    return source, ast.parse(source)


def _binding(scope: ast.AST, name: str, where: str) -> ast.AST:
    for node in _statements(scope):
        if name in _names(node):
            return node
    raise Absent(where)


def _statements(scope: ast.AST) -> Iterator[ast.AST]:
    for node in getattr(scope, 'body', []):
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _statements(node)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    if isinstance(node, ast.Assign):
        return [t.id for t in node.targets if isinstance(t, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _look(node: ast.AST) -> str:
    if isinstance(node, ast.ClassDef):
        return f'class({", ".join(ast.unparse(base) for base in node.bases)})'
    if not isinstance(node, ast.FunctionDef):
        return ast.unparse(node)
    arguments = copy.deepcopy(node.args)
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    decorators = [f'@{ast.unparse(d)} ' for d in node.decorator_list]
    return f'{"".join(decorators)}({ast.unparse(arguments)})'


def _digest(source: str, node: Any) -> str:
    first = min(
        (d.lineno for d in getattr(node, 'decorator_list', [])),
        default=node.lineno,
    )
    lines = source.splitlines()[first - 1 : node.end_lineno]
    text = textwrap.dedent('\n'.join(lines))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def main(site_packages: str, release: str) -> int:
    """Learn a release; the names that it lacks are told."""
    seams = read()
    absent = []
    for seam in seams:
        try:
            seam.learn(pathlib.Path(site_packages), release)
        except Absent as error:
            absent.append(str(error))
    write(seams)
    for where in absent:
        sys.stderr.write(f'Nova {release} has no {where}\n')
    return 1 if absent else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
