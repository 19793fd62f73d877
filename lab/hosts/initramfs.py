# SPDX-License-Identifier: Apache-2.0
"""Pack a directory tree as the first root file system of a kernel."""

import pathlib
import subprocess


def pack(tree: pathlib.Path, target: pathlib.Path) -> None:
    """Write the tree as a compressed cpio archive, owned by root.

    :raises CalledProcessError: cpio or gzip failed
    """
    names = sorted(str(p.relative_to(tree)) for p in tree.rglob("*"))
    archive = subprocess.run(
        ["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0", "-D", str(tree)],
        input="\n".join([".", *names]).encode(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    with target.open("wb") as out:
        subprocess.run(["gzip", "-9"], input=archive, stdout=out, check=True)
