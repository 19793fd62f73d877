# SPDX-License-Identifier: Apache-2.0
"""Ask an address for an echo, several times a second, and note the answers.

The caller must be in the lab's network namespace, and root.
"""

import itertools
import os
import socket
import struct
import threading
import time

from lab.frame import errors
from lab.frame import readiness

_INTERVAL = 0.2
_HEADER = struct.Struct("!BBHHH")
_REQUEST, _REPLY = 8, 0


class Echo:
    """The world outside, while it is open.

    :param address: whom it asks
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(
            socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP
        )
        self._socket.settimeout(_INTERVAL)
        self._closed = threading.Event()
        self._heard: list[float] = []
        self._threads = [
            threading.Thread(target=work, name=f"echo-{address}", daemon=True)
            for work in (self._ask, self._listen)
        ]

    def __enter__(self) -> "Echo":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def wait_answer(self, since: float, timeout: float) -> None:
        """Wait until there was an answer after that time.monotonic().

        :raises LabError: there was none
        """
        readiness.wait(
            f"echo of {self.address}",
            lambda: any(moment > since for moment in list(self._heard)),
            timeout=timeout,
        )

    def silence(self, since: float) -> tuple[float, float]:
        """The longest time without an answer after that time.monotonic().

        :returns: the last answer before it and the first one after
        :raises LabError: there were not two answers
        """
        heard = [moment for moment in self._heard if moment > since]
        if len(heard) < 2:
            raise errors.LabError(f"{self.address} did not answer twice")
        return longest_silence(heard)

    def _ask(self) -> None:
        for number in itertools.count():
            if self._closed.wait(_INTERVAL):
                return
            try:
                self._socket.sendto(request(number), (self.address, 0))
            except OSError:
                # Nobody there has that address at the moment.
                continue

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                packet, (sender, _) = self._socket.recvfrom(2048)
            except OSError:
                continue
            words = _HEADER.unpack_from(packet, (packet[0] & 15) * 4)
            if (sender, words[0], words[3]) == (self.address, _REPLY, _own()):
                self._heard.append(time.monotonic())


def longest_silence(heard: list[float]) -> tuple[float, float]:
    """The two moments, one after the other, that are furthest apart."""
    return max(itertools.pairwise(heard), key=lambda two: two[1] - two[0])


def request(number: int) -> bytes:
    """The packet that asks for the echo of that number."""
    words = (_REQUEST, 0, 0, _own(), number & 0xFFFF)
    # The Internet's checksum is a sum modulo 2**16 - 1.
    total = sum(struct.unpack("!4H", _HEADER.pack(*words))) % 0xFFFF
    return _HEADER.pack(*words[:2], ~total & 0xFFFF, *words[3:])


def _own() -> int:
    return os.getpid() & 0xFFFF
