# SPDX-License-Identifier: Apache-2.0
"""The cloud's refusals as one line for the operator.

openstacksdk prefixes them with its class and the URL; what the operator needs
is the sentence that the API wrote and the request to look for in the logs.
"""

from openstack import exceptions as sdk_exceptions
from osc_lib import exceptions


def from_http(
    error: sdk_exceptions.HttpException,
) -> exceptions.CommandError:
    """The error to show for a response of status 400 or above."""
    if error.response is None:
        return exceptions.CommandError(str(error))
    details = ' '.join((error.details or error.message).split())
    text = f'{details} (HTTP {error.status_code})'
    if error.request_id:
        text += f' (Request-ID: {error.request_id})'
    return exceptions.CommandError(text)
