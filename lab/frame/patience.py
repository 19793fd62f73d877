# SPDX-License-Identifier: Apache-2.0
"""How long the lab waits for what ought to have happened already.

Its time limits are written down for a machine that does nothing else. One
that shares its processors with strangers was seen ten times slower, and all
that a limit is for is to end a wait that would never end.
"""

_FACTOR = 10


def limit(seconds: float) -> float:
    """The seconds to wait in truth.

    :param seconds: what is far too long on a quiet machine
    """
    return seconds * _FACTOR
