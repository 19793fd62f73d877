# SPDX-License-Identifier: Apache-2.0
"""Which of our errors is which status of HTTP."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib

from nova import exception as nova_exception
from nova.api.openstack import common
from webob import exc

from nova_numa_migrate import exception
from nova_numa_migrate.hint import InvalidHint


@contextlib.contextmanager
def as_http() -> Iterator[None]:
    """What is refused within is answered with its words.

    :raises webob.exc.HTTPException: 400 for what is wrong with the request,
        409 for what is in the way of this server, 503 when what is needed to
        answer is away.
    """
    try:
        yield
    except (InvalidHint, exception.NodeNotFound) as error:
        raise exc.HTTPBadRequest(explanation=str(error)) from error
    except exception.CannotCheckpoint as error:
        raise exc.HTTPConflict(explanation=str(error)) from error
    except exception.PlacementSilent as error:
        raise exc.HTTPServiceUnavailable(explanation=str(error)) from error
    except (
        # An InstanceInvalidState too, but one that names no state.
        nova_exception.InstanceIsLocked,
        nova_exception.InstanceNotReady,
        nova_exception.ServiceUnavailable,
    ) as error:
        raise exc.HTTPConflict(explanation=error.format_message()) from error
    except nova_exception.InstanceInvalidState as error:
        common.raise_http_conflict_for_instance_invalid_state(
            error, error.kwargs['method'], error.kwargs['instance_uuid']
        )
