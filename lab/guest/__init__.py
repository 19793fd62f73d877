# SPDX-License-Identifier: Apache-2.0
"""What runs in the lab's servers: a kernel, one program and a small disk.

The program (``init.c``) counts on the console, holds a known pattern in
most of the memory and uses its disk. It boots in 80 MiB, so that a
checkpoint of it is small.
"""

from lab.guest.build import build
from lab.guest.build import COMMAND_LINE
from lab.guest.build import files
from lab.guest.build import GuestFiles

__all__ = ("COMMAND_LINE", "GuestFiles", "build", "files")
