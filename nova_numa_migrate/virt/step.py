# SPDX-License-Identifier: Apache-2.0
"""The steps of a move, as the operator sees them.

Each is an event of the server's action (``openstack server event show``).
Nova keeps the text of its own exceptions there, as far as it has room, and of
any other only the name of its class.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
from typing import Any

from nova import exception
from nova.compute import utils as compute_utils
import nova.conf

from nova_numa_migrate import events

CONF = nova.conf.CONF

#: Bytes that Nova keeps (exception_to_dict in nova/compute/utils.py).
_KEPT = 255


@contextlib.contextmanager
def step(context: Any, instance: Any, name: str) -> Iterator[None]:
    """Do one step; its event says how it ended, and why.

    Of a reason that is too long for that, one more has all of it.

    :raises nova.exception.NovaException: what the step raised; an exception
        that is not Nova's comes as a MigrationError with its text.
    """
    with compute_utils.EventReporter(context, name, CONF.host, instance.uuid):
        try:
            yield
        except exception.NovaException as error:
            if len(events.reason(error).encode()) > _KEPT:
                whole = f'{name}_reasons'
                events.tell(context, instance.uuid, CONF.host, whole, error)
            raise
        except Exception as error:
            raise exception.MigrationError(
                reason=f'{name} failed on host {CONF.host}: {error}'
            ) from error
