# SPDX-License-Identifier: Apache-2.0
"""The digest by which a checkpoint is known to have arrived whole.

A checkpoint is as large as the guest's memory, and the guest stands still
while it is read: so chunks are digested beside each other, and the digest of
the file is that of the chunks' digests.  Pure: only the file is read.
"""

from __future__ import annotations

from concurrent import futures
import hashlib
import os
from pathlib import Path

#: Bytes of a chunk.  Part of what the digest is: both hosts must agree.
CHUNK = 64 * 1024 * 1024

_BLOCK = 1024 * 1024
_SIZE = 32


class Damaged(Exception):
    """The file is not the one whose digest was taken."""


def of_file(path: Path) -> str:
    """The digest of a file, as ``blake2b-64m:<hex>``.

    :raises OSError: when it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        starts = range(0, os.fstat(descriptor).st_size, CHUNK)
        total = hashlib.blake2b(digest_size=_SIZE)
        with futures.ThreadPoolExecutor() as pool:
            for part in pool.map(lambda at: _chunk(descriptor, at), starts):
                total.update(part)
    finally:
        os.close(descriptor)
    return f'blake2b-64m:{total.hexdigest()}'


def require(path: Path, expected: str) -> None:
    """Check a file against the digest taken of it earlier.

    :raises Damaged: naming the file, when it is another.
    :raises OSError: when it cannot be read.
    """
    found = of_file(path)
    if found != expected:
        raise Damaged(
            f'the checkpoint {path} is damaged or incomplete '
            f'({path.stat().st_size} bytes): its digest is {found}, that of '
            f'the guest that was saved is {expected}'
        )


def _chunk(descriptor: int, start: int) -> bytes:
    found = hashlib.blake2b(digest_size=_SIZE)
    for at in range(start, start + CHUNK, _BLOCK):
        block = os.pread(descriptor, _BLOCK, at)
        found.update(block)
        if len(block) < _BLOCK:
            break
    return found.digest()
