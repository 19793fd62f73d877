# SPDX-License-Identifier: Apache-2.0
"""How a hinted move ended.

A move that is refused or rolled back leaves the server as it was, "active":
its status alone does not tell it from one confirmed by Nova's confirm window.
The instance action of the request does.
"""

from collections.abc import Callable, Iterable
from typing import Any

from openstack import utils as sdk_utils
from openstack.compute.v2 import server_action
from osc_lib import exceptions

from nova_numa_migrate.client import progress
from nova_numa_migrate.client import request

POLL_SECONDS = 1.0
# Nova resets the server before it closes the event that holds the reason.
EVENT_POLLS = 10

_DETAILS_MICROVERSION = '2.84'
_LAST_EVENT = 'compute_finish_resize'
# The destination could not start the guest, which went on at its source.
_RETURN_EVENT = 'numa_migrate_return'
# The scheduler tells of other hosts than its own, and names them.
_SCHEDULE_EVENT = 'numa_migrate_schedule'


def wait(
    compute: Any,
    sent: request.SentRequest,
    sleep: Callable[[float], None],
    callback: progress.Show | None = None,
) -> None:
    """Return once the server has moved.

    :param sleep: called with seconds between two looks at the cloud
    :param callback: called with the events of the action at each look
    :raises CommandError: it has not, with the reason from its action
    """
    server = _settled(compute, sent, sleep, callback)
    if server.status == 'VERIFY_RESIZE':
        return
    events = _closed_events(compute, sent, sleep)
    if server.status != 'ERROR' and _moved(events):
        return
    raise exceptions.CommandError(
        f'server {sent.server_id} did not move and is {server.status}: '
        f'{_reasons(events) or _fault(server) or _unknown(sent)}'
    )


def _settled(
    compute: Any,
    sent: request.SentRequest,
    sleep: Callable[[float], None],
    callback: progress.Show | None,
) -> Any:
    while True:
        server = compute.get_server(sent.server_id)
        if server.status == 'ERROR' or not (
            server.task_state or server.status == 'RESIZE'
        ):
            return server
        if callback is not None:
            callback(_events(compute, sent))
        sleep(POLL_SECONDS)


def _closed_events(
    compute: Any, sent: request.SentRequest, sleep: Callable[[float], None]
) -> list[Any]:
    """Events of the request, oldest first, when its end is among them.

    Nova's services close theirs one after the other, and the one that knows
    the reason may be the last: failures count when no more of them come.
    """
    events: list[Any] = []
    for _poll in range(EVENT_POLLS):
        before, events = events, _events(compute, sent)
        failed = _reasons(events)
        if _moved(events) or (failed and failed == _reasons(before)):
            break
        sleep(POLL_SECONDS)
    return events


def _events(compute: Any, sent: request.SentRequest) -> list[Any]:
    action = server_action.ServerAction.new(
        server_id=sent.server_id, request_id=sent.request_id
    )
    # Reading the reason is worth a newer version than the one pinned.
    newest = sdk_utils.maximum_supported_microversion(
        compute, _DETAILS_MICROVERSION
    )
    action.fetch(compute, microversion=newest)
    # Nova tells the newest first, and many databases keep whole seconds.
    oldest_first = reversed(action.events or [])
    return sorted(oldest_first, key=lambda event: event.start_time)


def _moved(events: list[Any]) -> bool:
    ended = {event.event for event in events if event.result == 'Success'}
    began = {event.event for event in events}
    return _LAST_EVENT in ended and _RETURN_EVENT not in began


def _reasons(events: list[Any]) -> str:
    """Each distinct reason, with the host that gave it, in order."""
    reasons: dict[str, str] = {}
    for event in events:
        if event.result == 'Error' and event.details:
            named = event.host and not event.event.startswith(_SCHEDULE_EVENT)
            where = f'{event.host}: ' if named else ''
            reasons.setdefault(event.details, where + event.details)
    whole = (reasons[text] for text in reasons if not _is_cut(text, reasons))
    return '; '.join(' '.join(text.split()) for text in whole)


def _is_cut(text: str, texts: Iterable[str]) -> bool:
    """Whether Nova has kept only the beginning of one of the others."""
    return any(
        other != text and other.startswith(text.removesuffix('...'))
        for other in texts
    )


def _fault(server: Any) -> str:
    return str((server.fault or {}).get('message', ''))


def _unknown(sent: request.SentRequest) -> str:
    return (
        'its action holds no reason, see "openstack server event show '
        f'{sent.server_id} {sent.request_id}" and the logs of that request'
    )
