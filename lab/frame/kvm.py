# SPDX-License-Identifier: Apache-2.0
"""Find out whether KVM really works here, for guests of guests too.

A device that can be opened proves nothing: on some machines every guest
hangs. So a real one is started, a boot sector that tells the emulator to
exit with a status of its own, and it has a few seconds for that.
"""

import collections.abc
import pathlib
import subprocess
import tempfile

_DEVICE = pathlib.Path("/dev/kvm")
_MODULES = pathlib.Path("/sys/module")
_SECONDS = 5.0
_SECTOR = 512
_PORT = 0xF4
_VALUE = 0x2A
# mov al, VALUE; out PORT, al; hlt
_PROGRAM = bytes((0xB0, _VALUE, 0xE6, _PORT, 0xF4))
# The device ends the emulator with twice the value plus one.
_STATUS = 2 * _VALUE + 1


def usable(emulator: collections.abc.Sequence[str]) -> bool:
    """Whether hosts may use KVM: it runs code, and it nests.

    :param emulator: program and leading arguments of QEMU for x86-64
    """
    return offered() and runs(emulator, "kvm")


def offered() -> bool:
    """Whether the machine has KVM and lets its guests have it themselves."""
    return _DEVICE.exists() and _nests()


def runs(emulator: collections.abc.Sequence[str], accelerator: str) -> bool:
    """Whether a guest under an accelerator executes its boot sector."""
    with tempfile.NamedTemporaryFile(prefix="nnm-probe-") as disk:
        disk.write(_PROGRAM.ljust(_SECTOR - 2, b"\0") + b"\x55\xaa")
        disk.flush()
        return _status([*emulator, *_arguments(accelerator, disk.name)]) == (
            _STATUS
        )


def _arguments(accelerator: str, disk: str) -> list[str]:
    return [
        *("-accel", accelerator, "-machine", "pc", "-m", "16"),
        *("-nodefaults", "-no-user-config", "-display", "none"),
        *("-drive", f"file={disk},format=raw,if=ide,snapshot=on"),
        *("-device", f"isa-debug-exit,iobase={_PORT:#x},iosize=1"),
    ]


def _status(argv: list[str]) -> int | None:
    """Exit status of a program; None when its time was over."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return process.wait(_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
    try:
        process.wait(_SECONDS)
    except subprocess.TimeoutExpired:
        # The kernel does not let go of it; nothing more can be done here.
        return None
    return None


def _nests() -> bool:
    """Whether the host's KVM lets its guests have KVM themselves."""
    parameters = (
        _MODULES / module / "parameters" / "nested"
        for module in ("kvm_intel", "kvm_amd")
    )
    return any(
        file.read_text().strip() in ("1", "Y")
        for file in parameters
        if file.exists()
    )
