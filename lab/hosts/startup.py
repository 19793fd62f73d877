# SPDX-License-Identifier: Apache-2.0
"""Start a host, and once more when it does not come up.

An emulated host hangs on its way now and then, for which
``machine.Host.check_processors`` gives the cause. One that merely is slow
has more time at each attempt.
"""

import collections.abc

from lab.frame import errors
from lab.hosts import machine

# Seconds for each attempt. Under emulation a host starts in a minute.
_LIMITS = (60.0, 120.0, 300.0)


def start(
    host: machine.Host,
    power: collections.abc.Callable[[], None],
    note: collections.abc.Callable[[str], object],
) -> None:
    """Start it and wait until it is ready.

    :param power: what switches it on
    :param note: told why when it has to be started anew
    :raises LabError: it did not come up at the last attempt either
    """
    *early, last = _LIMITS
    for limit in early:
        power()
        try:
            host.wait_ready(limit)
        except errors.LabError as error:
            note(f"{error}; started anew")
            host.stop()
        else:
            return
    power()
    host.wait_ready(last)
