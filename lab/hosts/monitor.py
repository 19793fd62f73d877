# SPDX-License-Identifier: Apache-2.0
"""Control of a running emulator over its QMP socket."""

import asyncio
import collections.abc
import pathlib
import re
import typing
import uuid

from qemu import qmp

from lab.frame import errors
from lab.frame import patience

_POLL_SECONDS = 0.1
# In which an emulator answers that is not hanging itself.
_ANSWER_SECONDS = 3.0
# What a local APIC has in service, of "info lapic"; "(none)" otherwise.
_IN_SERVICE = re.compile(r"^ISR\s+(\d.*?)\s*$", re.MULTILINE)


def execute(socket: pathlib.Path, command: str) -> typing.Any:
    """Run one QMP command without arguments and return its answer.

    :raises LabError: the emulator is not there or refuses
    """

    async def run(client: qmp.QMPClient) -> object:
        return await client.execute(command)

    return _with_client(socket, run)


def save_snapshot(socket: pathlib.Path, name: str, disk: str) -> None:
    """Save memory, devices and disk of a machine under a name.

    An older snapshot of the name is replaced.

    :param disk: the block node that takes it
    :raises LabError: the emulator could not
    """

    async def run(client: qmp.QMPClient) -> None:
        await _job(client, "snapshot-delete", tag=name, devices=[disk])
        await _job(
            client, "snapshot-save", tag=name, vmstate=disk, devices=[disk]
        )

    _with_client(socket, run)


def in_service(
    socket: pathlib.Path, processors: collections.abc.Iterable[int]
) -> set[tuple[int, str]]:
    """Processors with interrupts that they have taken and not ended yet.

    :returns: (processor, the interrupts' vectors in the emulator's words)
    :raises LabError: the emulator is not there or refuses
    """

    async def run(client: qmp.QMPClient) -> dict[int, str]:
        # QMP itself has no command for it.
        return {
            number: str(
                await client.execute(
                    "human-monitor-command",
                    {"command-line": f"info lapic {number}"},
                )
            )
            for number in processors
        }

    said = _with_client(socket, run, patience.limit(_ANSWER_SECONDS))
    return {
        (number, match[1])
        for number, text in said.items()
        if (match := _IN_SERVICE.search(text))
    }


async def _job(
    client: qmp.QMPClient, command: str, **arguments: object
) -> None:
    job = f"lab-{uuid.uuid4().hex[:8]}"
    await client.execute(command, {"job-id": job, **arguments})
    while True:
        jobs: typing.Any = await client.execute("query-jobs")
        found = [entry for entry in jobs if entry["id"] == job]
        if found and found[0]["status"] == "concluded":
            break
        await asyncio.sleep(_POLL_SECONDS)
    await client.execute("job-dismiss", {"id": job})
    if problem := found[0].get("error"):
        raise errors.LabError(f"{command}: {problem}")


def _with_client(
    socket: pathlib.Path,
    run: typing.Callable[[qmp.QMPClient], typing.Awaitable[typing.Any]],
    seconds: float | None = None,
) -> typing.Any:
    """Do something with an emulator, in a limited time or for as long."""

    async def session() -> typing.Any:
        client = qmp.QMPClient(socket.stem)
        async with asyncio.timeout(seconds):
            await client.connect(str(socket))
            try:
                return await run(client)
            finally:
                await client.disconnect()

    try:
        return asyncio.run(session())
    except TimeoutError as error:
        raise errors.LabError(
            f"emulator at {socket}: no answer in {seconds:.0f} s"
        ) from error
    except qmp.QMPError as error:
        raise errors.LabError(f"emulator at {socket}: {error}") from error
