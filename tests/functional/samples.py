# SPDX-License-Identifier: Apache-2.0
"""The samples of the API's documentation are answers that were given.

``REGENERATE=1`` writes them anew.
"""

from __future__ import annotations

from collections.abc import Mapping
import json
import os
import pathlib
from typing import Any

DIRECTORY = pathlib.Path(__file__).parents[2] / 'doc/source/api/samples'

#: In the place of the server of a test.
SERVER = '6a3b0c5e-5d2f-4c0e-9f6b-2f0d8e4b7a11'


def text_of(answer: Any, names: Mapping[str, str]) -> str:
    """An answer as its sample shows it.

    :param names: what is of the test's run alone, as an id -> what the
        sample has in its place.
    """
    text = json.dumps(answer, indent=2, sort_keys=True) + '\n'
    for own, shown in names.items():
        text = text.replace(own, shown)
    return text


def check(test: Any, name: str, answer: Any, names: Mapping[str, str]) -> None:
    """The sample of that name must say what the answer says."""
    path = DIRECTORY / f'{name}.json'
    text = text_of(answer, names)
    if os.environ.get('REGENERATE'):
        path.write_text(text)
    test.assertEqual(path.read_text(), text)
