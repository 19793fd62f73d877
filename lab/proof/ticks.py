# SPDX-License-Identifier: Apache-2.0
"""What a guest says of itself, a line at a time (see guest/init.c)."""

import dataclasses

#: Between two of them at least.
SECONDS = 0.5


@dataclasses.dataclass(frozen=True)
class Tick:
    """One line of a guest that counts.

    :param heard: time.monotonic() at which the control machine had it
    :param host: host that it came from
    :param count: the counter
    :param passes: how often the whole pattern has been verified
    :param bad: words of it that were wrong, ever
    :param checksum: of the last whole pass, in hexadecimal
    :param disk: ``ok``, or what is wrong with the disk
    :param records: records that the disk holds
    :param more: what the further disks hold, ``vdb:<hex>,sr0:<hex>``
    """

    heard: float
    host: str
    count: int
    passes: int
    bad: int
    checksum: str
    disk: str
    records: int
    boot_id: str
    more: str = ""

    @property
    def intact(self) -> bool:
        """Whether memory and disk are as the guest left them."""
        return self.bad == 0 and self.disk == "ok"


def parse(line: str, host: str, heard: float) -> Tick | None:
    """The tick that a console line is; None for any other line."""
    words = line.split()
    if not words or words[0] != "TICK":
        return None
    fields = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    try:
        return Tick(
            heard=heard,
            host=host,
            count=int(fields["n"]),
            passes=int(fields["passes"]),
            bad=int(fields["bad"]),
            checksum=fields["sum"],
            disk=fields["disk"],
            records=int(fields["records"]),
            boot_id=fields["boot_id"],
            more=fields.get("more", ""),
        )
    except (KeyError, ValueError):
        # The emulator ended in the middle of a line.
        return None
