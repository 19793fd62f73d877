# SPDX-License-Identifier: Apache-2.0
"""A guest with a Neutron port: the world outside finds it again."""

import time

from lab.extra import network
from lab.frame import errors
from lab.frame import readiness
from lab.hosts import machine
from lab.proof import echo as lab_echo
from lab.proof import moves
from lab.proof import servers
from lab.proof import ticks

_NAME = "wired"
_ANSWER_WITHIN = 2.0
_ACTIVE_WITHIN = 10.0


def run(stage: moves.Stage) -> None:
    """Its port is bound and ACTIVE there, a ping answered within 2 s."""
    servers.remove(stage.cloud, [_NAME])
    with network.running(
        stage.cloud, stage.steps, (stage.source, stage.destination)
    ):
        port = network.Port(stage.cloud, 11)
        port.create()
        try:
            _move(stage, port)
        finally:
            servers.remove(stage.cloud, [_NAME])


def _move(stage: moves.Stage, port: network.Port) -> None:
    plan = moves.Plan(
        *(_NAME, "numa1", "1", (1,)),
        options=("--image", "guest", "--port", port.name),
    )
    guest = moves.Guest(stage, plan)
    guest.boot()
    with lab_echo.Echo(port.address) as echo:
        echo.wait_answer(0, 10)
        began = time.monotonic()
        guest.go()
        _claim_port(stage, port, stage.source, stage.destination)
        _claim_answer(stage, guest, echo, began, stage.destination)
        guest.prove()
        began = time.monotonic()
        guest.revert()
        _claim_port(stage, port, stage.destination, stage.source)
        _claim_answer(stage, guest, echo, began, stage.source)


def _claim_port(
    stage: moves.Stage,
    port: network.Port,
    left: machine.Host,
    host: machine.Host,
) -> None:
    wanted = (host.name, "ACTIVE")
    try:
        readiness.wait(
            f"port {wanted}",
            lambda: port.place() == wanted,
            timeout=_ACTIVE_WITHIN,
        )
    except errors.LabError as error:
        stage.verdict.claim(False, f"{error}: {port.place()}")
    stage.verdict.claim(
        port.place() == wanted, f"{port.name} is {wanted}: {port.place()}"
    )
    stage.verdict.claim(
        port.is_plugged(host) and not port.is_plugged(left),
        f"{port.name} is in the switch of {host.name} and not in the other",
    )


def _claim_answer(
    stage: moves.Stage,
    guest: moves.Guest,
    echo: lab_echo.Echo,
    began: float,
    host: machine.Host,
) -> None:
    first = _first(stage, guest, began, host)
    echo.wait_answer(first.heard, 30)
    last, answer = echo.silence(began)
    late = answer - first.heard
    stage.steps.note(
        f"{echo.address} answers on {host.name} {late:+.1f} s after the "
        f"guest's first line there; it was silent for {answer - last:.1f} s"
    )
    stage.verdict.claim(
        late <= _ANSWER_WITHIN,
        f"{echo.address} answered within {_ANSWER_WITHIN:.0f} s of the "
        f"restore on {host.name}: {late:.1f} s",
    )


def _first(
    stage: moves.Stage, guest: moves.Guest, began: float, host: machine.Host
) -> ticks.Tick:
    return stage.watch.wait_tick(
        guest.server.uuid,
        f"first line on {host.name}",
        lambda tick: tick.host == host.name and tick.heard > began,
        30,
    )
