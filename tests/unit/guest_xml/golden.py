# SPDX-License-Identifier: Apache-2.0
"""Golden files: guests as libvirt saved them, as Nova describes them, joined.

Each directory below ``golden`` is one guest: ``saved.xml`` as libvirt 11
writes it, ``fresh.xml`` as Nova 34 writes it on the destination, and
``remapped.xml``, which is ours.  With ``REGENERATE=1`` in the environment the
last is written instead of compared; ``git diff`` then shows what changed.
"""

import os
import pathlib
from typing import NamedTuple

_DIRECTORY = pathlib.Path(__file__).with_name('golden')


class Guest(NamedTuple):
    """One guest's descriptions, as texts."""

    name: str
    saved: str
    fresh: str

    @property
    def __name__(self):
        """What ddt names a test of it by."""
        return self.name


def guests():
    """Every guest that there is."""
    return [
        guest(path.name)
        for path in sorted(_DIRECTORY.iterdir())
        if path.is_dir()
    ]


def guest(name):
    """The guest of that name."""
    directory = _DIRECTORY / name
    return Guest(
        name,
        (directory / 'saved.xml').read_text(),
        (directory / 'fresh.xml').read_text(),
    )


def expected(name, result):
    """The golden result; made from the given one when asked to."""
    path = _DIRECTORY / name / 'remapped.xml'
    if os.environ.get('REGENERATE') == '1':
        path.write_text(result)
    return path.read_text()
