# SPDX-License-Identifier: Apache-2.0
"""The steps of a move, as the operator sees them.

Each is an event of the server's action (``openstack server event show``).
Nova keeps the text of its own exceptions there, and of any other only the
name of its class.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
from typing import Any

from nova import exception
from nova.compute import utils as compute_utils
import nova.conf

CONF = nova.conf.CONF


@contextlib.contextmanager
def step(context: Any, instance: Any, name: str) -> Iterator[None]:
    """Do one step; its event says how it ended, and why.

    :raises nova.exception.NovaException: what the step raised; an exception
        that is not Nova's comes as a MigrationError with its text.
    """
    with compute_utils.EventReporter(context, name, CONF.host, instance.uuid):
        try:
            yield
        except exception.NovaException:
            raise
        except Exception as error:
            raise exception.MigrationError(
                reason=f'{name} failed on host {CONF.host}: {error}'
            ) from error
