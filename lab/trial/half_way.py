# SPDX-License-Identifier: Apache-2.0
"""Reverts are broken while the guest runs nowhere."""

import collections.abc
import time

from lab.control import wsgi
from lab.damage import leftovers
from lab.frame import paths as lab_paths
from lab.frame import process
from lab.frame import readiness
from lab.hosts import deploy
from lab.hosts import machine
from lab.proof import moves
from lab.trial import guests

# $1 is the guest's name in libvirt.
_UNTIL_GONE = 'while virsh list --name | grep -qx "$1"; do sleep 0.2; done'
# A service that was killed starts anew, and then its first look is due.
_SETTLE_TIMEOUT = 300.0
_MOMENT_TIMEOUT = 120.0

_Breakage = collections.abc.Callable[[moves.Stage, guests.Guest], None]


def run(stage: moves.Stage) -> None:
    """Reverts are broken while the guest runs nowhere; each comes home.

    The destination's service is killed as it has ended the guest, the
    source's as it brings it back, and Placement does not answer.
    """
    with guests.made(stage, stage.source, "2") as guest:
        for what, break_it in _BREAKAGES.items():
            _revert(stage, guest, what, break_it)


def _revert(
    stage: moves.Stage, guest: guests.Guest, what: str, break_it: _Breakage
) -> None:
    hosts = (stage.source, stage.destination)
    left = leftovers.Leftovers(stage.cloud, guest, hosts)
    began = time.monotonic()
    guest.counting(began)
    if not guest.go(stage.destination, "1"):
        return
    guest.action(revertResize=None)
    with stage.steps(what):
        break_it(stage, guest)
    with stage.steps(f"{guest.name} goes home all the same"):
        status = guest.settle(_SETTLE_TIMEOUT, but=guests.MOVED)
    home = (status, guest.host, guest.running_on(hosts))
    name = stage.source.name
    stage.verdict.claim(
        home == ("ACTIVE", name, [name]),
        f"{what}: the guest is active on {name} and runs there alone: {home}",
    )
    guest.counting(time.monotonic())
    history = guest.goes_on(began)
    stage.steps.note(
        f"{what}: counter {history.ticks[0].count} -> "
        f"{history.ticks[-1].count}, silent for {history.silence:.1f} s"
    )
    found = left.find()
    stage.verdict.claim(not found, f"{what}: nothing is left: {found}")


def _kill(host: machine.Host) -> None:
    """End the service at once; systemd starts it again."""
    signal = ["systemctl", "kill", "--signal=KILL", deploy.SERVICE]
    host.shell.run(signal, 30)
    host.shell.run(["systemctl", "start", deploy.SERVICE], 60)


def _at_the_destination(stage: moves.Stage, guest: guests.Guest) -> None:
    host = stage.destination
    gone = ["sh", "-c", _UNTIL_GONE, "until-gone", guest.domain]
    host.shell.run(gone, _MOMENT_TIMEOUT)
    _kill(host)


def _at_the_source(stage: moves.Stage, guest: guests.Guest) -> None:
    _wait_event(guest, "numa_migrate_bring_back", None)
    _kill(stage.source)


def _placement(_: moves.Stage, guest: guests.Guest) -> None:
    paths = lab_paths.here()
    process.Daemon(paths, wsgi.PLACEMENT.daemon_name).stop()
    try:
        # The second half needs it, and fails.
        _wait_event(guest, "compute_finish_revert_resize", "Error")
    finally:
        wsgi.PLACEMENT.start(paths)


def _wait_event(guest: guests.Guest, name: str, result: str | None) -> None:
    """Until an event of its last action has come so far."""
    readiness.wait(
        f"{name} of {guest.name}: {result}",
        lambda: any(
            event["event"] == name and event["result"] == result
            for event in guest.events()
        ),
        timeout=_MOMENT_TIMEOUT,
        interval=0.2,
    )


_BREAKAGES: dict[str, _Breakage] = {
    "service killed as it has ended the guest": _at_the_destination,
    "service killed as it brings the guest back": _at_the_source,
    "Placement does not answer": _placement,
}
