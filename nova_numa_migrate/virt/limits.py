# SPDX-License-Identifier: Apache-2.0
"""The limits that an operator sets on moves: how long, and how many.

A phase that takes too long is given up by whoever runs it; what then becomes
of the guest is decided as after any other failure of the phase.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
import threading

from nova import exception
import nova.conf
from oslo_log import log as logging

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def deadline(option: str, give_up: Callable[[], object]) -> Iterator[None]:
    """Have a phase given up that takes longer than an option says.

    :param option: of ``[numa_migrate]``, in seconds; 0 is no limit.
    :param give_up: makes the phase fail; called from another thread, and
        never after this has been left.
    :raises nova.exception.MigrationError: when the phase failed after it
        was given up.
    """
    seconds = CONF.numa_migrate[option]
    if not seconds:
        yield
        return
    expired = threading.Event()
    timer = threading.Timer(seconds, _give_up, (expired, give_up))
    timer.start()
    try:
        yield
    except Exception as error:
        if not expired.is_set():
            raise
        raise exception.MigrationError(
            reason=f'it took longer than [numa_migrate] {option}, {seconds} '
            f's, and was given up: {error}'
        ) from error
    finally:
        timer.cancel()
        timer.join()


def slots() -> contextlib.AbstractContextManager[object]:
    """What a guest has to hold while it is on its way from this host."""
    count = CONF.numa_migrate.max_concurrent_checkpoints
    return threading.BoundedSemaphore(count) if count else _Unlimited()


class _Unlimited(contextlib.AbstractContextManager[None]):
    def __exit__(self, *_: object) -> None:
        pass


def _give_up(expired: threading.Event, give_up: Callable[[], object]) -> None:
    expired.set()
    try:
        give_up()
    except Exception as error:
        # It may just have come to its end.
        LOG.warning('What takes too long could not be given up: %s', error)
