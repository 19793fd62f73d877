# SPDX-License-Identifier: Apache-2.0
"""Events of a server's action that say why something failed, in full.

Nova cuts what it takes from an exception at 255 bytes, and ends the first
event of a name, whoever began the last.  A refusal that names every reason is
longer, and each host that is tried has its own: so it is an event that is
made at its end, and that nothing of Nova's ends by its name.  There may be
several of one name.  A server's owner sees names, and neither hosts nor
details.
"""

from __future__ import annotations

from typing import Any

from nova import exception
from nova import objects
from oslo_log import log as logging
from oslo_utils import timeutils

LOG = logging.getLogger(__name__)


def failed(
    context: Any, instance: str, host: str, name: str, text: str
) -> None:
    """Add one to the action of this request.

    :param instance: the uuid.
    :param host: where it failed.
    :param name: which the server's owner sees.
    :raises Exception: when the database does not take it.
    """
    now = timeutils.utcnow()
    event = objects.InstanceActionEvent(
        context,
        event=name,
        host=host,
        start_time=now,
        finish_time=now,
        result='Error',
        details=text,
    )
    event.create(instance, context.request_id)


def tell(
    context: Any, instance: str, host: str, name: str, error: Exception
) -> None:
    """Add one for an error; what it tells of goes on if it cannot be."""
    try:
        failed(context, instance, host, name, reason(error))
    except Exception:
        LOG.exception(
            'The reason could not be added to the action of the server: %s',
            error,
            instance_uuid=instance,
        )


def reason(error: Exception) -> str:
    """The text of an error, with its kind where Nova did not make it."""
    if isinstance(error, exception.NovaException):
        return str(error.format_message())
    return f'{type(error).__name__}: {error}'


def rollback(error: Exception) -> exception.InstanceFaultRollback:
    """Nothing has touched the guest: its server is to be as it was.

    Nova shows the error in it: of others than its own only the name.
    """
    if not isinstance(error, exception.NovaException):
        error = exception.MigrationError(reason=reason(error))
    return exception.InstanceFaultRollback(inner_exception=error)
