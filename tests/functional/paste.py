# SPDX-License-Identifier: Apache-2.0
"""Nova's own api-paste.ini, changed as an operator is told to change it."""

from __future__ import annotations

from importlib import metadata
import pathlib

_STOCK = 'paste.app_factory = nova.api.openstack.compute:APIRouterV21.factory'
_OURS = (
    'paste.app_factory = nova_numa_migrate.api.router:NumaAPIRouter.factory'
)


def stock_file() -> pathlib.Path:
    """The file that the installed Nova brings."""
    (found,) = (
        file
        for file in metadata.files('nova') or ()
        if file.name == 'api-paste.ini'
    )
    return pathlib.Path(str(found.locate()))


def extended(directory: str) -> str:
    """A copy of it in the directory, with our router; its path."""
    text = stock_file().read_text()
    if text.count(_STOCK) != 1:
        raise AssertionError(f'Nova no longer says "{_STOCK}" once')
    path = pathlib.Path(directory) / 'api-paste.ini'
    path.write_text(text.replace(_STOCK, _OURS))
    return str(path)
