# SPDX-License-Identifier: Apache-2.0
"""The cloud's refusals as one line for the operator.

openstacksdk prefixes them with its class and the URL; what the operator needs
is the sentence that the API wrote and the request to look for in the logs.
"""

from collections.abc import Iterator
import contextlib
from typing import Any

from openstack import exceptions as sdk_exceptions
from osc_lib import exceptions


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What the cloud refuses within is told in one line.

    :raises CommandError: in the place of openstacksdk's
    """
    try:
        yield
    except sdk_exceptions.HttpException as error:
        raise from_http(error) from error


def from_http(
    error: sdk_exceptions.HttpException,
) -> exceptions.CommandError:
    """The error to show for a response of status 400 or above."""
    if error.response is None:
        return exceptions.CommandError(str(error))
    details = ' '.join((error.details or error.message).split())
    if error.status_code == 404 and not _is_a_fault(error.response):
        details = (
            'the Compute API of this cloud does not know '
            f'{error.response.url}: is nova-numa-migrate installed there?'
        )
    text = f'{details} (HTTP {error.status_code})'
    if error.request_id:
        text += f' (Request-ID: {error.request_id})'
    return exceptions.CommandError(text)


def _is_a_fault(response: Any) -> bool:
    """Whether Nova's API says no, and not what routes to its parts."""
    try:
        faults = response.json().values()
    except ValueError:
        # Of json's or simplejson's, whichever requests has found.
        return False
    return any(isinstance(f, dict) and 'message' in f for f in faults)
