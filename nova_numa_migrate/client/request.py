# SPDX-License-Identifier: Apache-2.0
"""The hints on their way into the migrate request.

openstacksdk has no place for them in its ``migrate`` call, so the POST of one
command is intercepted on the compute proxy and its body completed.  The key
goes inside ``migrate``: Nova refuses a second key beside it.
"""

import argparse
from collections.abc import Iterator, Mapping
import contextlib
import dataclasses
import re
from typing import Any

from osc_lib import exceptions
from osc_lib.cli import parseractions

HINTS_KEY = 'os:scheduler_hints'
# Below it Nova does not look at the body of a cold migration at all, and a
# cloud without the plugin would move the guest anywhere, powered off.
MINIMUM_MICROVERSION = '2.56'

_ACTION_URL = re.compile(r'/?servers/(?P<server>[^/]+)/action')


@dataclasses.dataclass
class SentRequest:
    """What identifies a migrate request to the cloud, once it is sent."""

    server_id: str = ''
    request_id: str = ''


def add_hint_option(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--hint`` as ``server create`` spells it.

    :param text: its help
    """
    parser.add_argument(
        '--hint',
        metavar='<key=value>',
        action=parseractions.KeyValueAppendAction,
        dest='hints',
        default={},
        help=text,
    )


def add_server_argument(parser: argparse.ArgumentParser) -> None:
    """Add the server as the client's own commands spell it."""
    parser.add_argument(
        'server', metavar='<server>', help='Server (name or ID)'
    )


def values(hints: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
    """The hints as a request has them.

    :param hints: values of each hint in the order given; a single one is
        sent as a string, several as a list, as ``server create`` does
    """
    return {
        key: given[0] if len(given) == 1 else given
        for key, given in hints.items()
    }


@contextlib.contextmanager
def hinted(
    compute: Any, hints: Mapping[str, list[str]]
) -> Iterator[SentRequest]:
    """Complete the migrate request sent through ``compute`` inside.

    :param compute: openstacksdk's compute proxy
    :param hints: as for ``values``
    :returns: filled in when the request is sent
    :raises CommandError: at the end, when no migrate request went by
    """
    sent = SentRequest()
    stock_post = compute.post

    def post(url: str, **kwargs: Any) -> Any:
        action = _ACTION_URL.fullmatch(url)
        body = kwargs.get('json')
        if not action or not isinstance(body, dict) or 'migrate' not in body:
            return stock_post(url, **kwargs)
        response = stock_post(url, **_completed(compute, hints, kwargs))
        sent.server_id = action['server']
        sent.request_id = response.headers.get('x-openstack-request-id', '')
        return response

    compute.post = post
    try:
        yield sent
    finally:
        compute.post = stock_post
    if not sent.server_id:
        raise exceptions.CommandError(
            'this python-openstackclient did not send the migration the way '
            'nova-numa-migrate knows, so the hint was not sent: look at the '
            'server, it may be moving without it'
        )


def _completed(
    compute: Any, hints: Mapping[str, list[str]], kwargs: dict[str, Any]
) -> dict[str, Any]:
    migrate = {'host': None, **(kwargs['json']['migrate'] or {})}
    migrate[HINTS_KEY] = values(hints)
    microversion = (
        kwargs.get('microversion')
        or compute.default_microversion
        or MINIMUM_MICROVERSION
    )
    return {
        **kwargs,
        'json': {'migrate': migrate},
        'microversion': microversion,
    }
