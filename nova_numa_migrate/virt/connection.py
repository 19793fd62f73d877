# SPDX-License-Identifier: Apache-2.0
"""Nova's connection to libvirt's daemon, when that dies.

Nova tests its connection with a lock held.  When the daemon has died, libvirt
says so by calling back, in the very thread that tests if that is the first to
find out.  With native threads Nova does at once what is to be done then, for
which it takes that lock again: the thread would stand for ever, and each after
it that asks for the connection.  Nova 33 and 34 can be run like that, Nova 32
leaves it to another thread.
"""

from __future__ import annotations

import threading
from typing import Any


def outlive_the_daemon(host: Any) -> None:
    """Let the thread that has Nova's lock hear that the daemon has died.

    What it does then is what the test is about to do as well.  To be called
    before the first connection.

    :param host: Nova's, of nova.virt.libvirt.host.
    """
    host._wrapped_conn_lock = threading.RLock()
