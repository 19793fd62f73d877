# SPDX-License-Identifier: Apache-2.0
"""Start the lab: new, from its snapshot, or only what has died of it."""

import collections.abc
import dataclasses
import datetime
import functools
import pathlib

from lab import build
from lab import catalogue
from lab import cloud
from lab import down
from lab import guest
from lab import snapshot
from lab.control import config
from lab.control import databases
from lab.control import plane
from lab.control import workers
from lab.control import wsgi
from lab.frame import errors
from lab.frame import netns
from lab.frame import paths as lab_paths
from lab.frame import process
from lab.frame import steps as lab_steps
from lab.frame import tasks
from lab.hosts import deploy
from lab.hosts import health
from lab.hosts import image
from lab.hosts import machine
from lab.hosts import startup

# Under emulation a compute service starts in a minute; on a loaded machine
# in two.
_SERVICE_TIMEOUT = 300
_HYPERVISOR_TIMEOUT = 60
# How often a host may hang while its services start.
_HANGS = 2
_CONTROL = ("glance", "neutron", "nova", "workers")
_LONG_AGO = datetime.datetime.min.replace(tzinfo=datetime.UTC)

_Graph = dict[str, tasks.Task]


@dataclasses.dataclass(frozen=True)
class Up:
    """One run of ``lab/up``."""

    paths: lab_paths.Paths
    steps: lab_steps.Steps
    builder: build.Builder
    #: When compute services were restarted with another plugin.
    restarts: list[datetime.datetime] = dataclasses.field(
        default_factory=list, init=False
    )

    def run(self) -> None:
        """Bring the lab to the state in which everything answers.

        :raises LabError: a part did not come up
        """
        try:
            self._bring_up()
        finally:
            # A build goes on to its end even when the rest has failed: it
            # is kept, and nothing of it must outlive the command.
            self.builder.wait()
        self.steps.note("the lab is up")

    def _bring_up(self) -> None:
        if self._is_up() and process.recorded(self.paths):
            self._prepare()
            tasks.run(self._repair())
            return
        down.down(self.paths, self.steps, wipe=False)
        self._prepare()
        if snapshot.valid(self.paths):
            snapshot.copy_files(self.paths)
            tasks.run(self._restore())
        else:
            snapshot.discard(self.paths)
            tasks.run(self._create())
            with self.steps("snapshot taken"):
                snapshot.take(self.paths, self._hosts)
        self._complete.write_text(self._image)

    def _is_up(self) -> bool:
        """Whether the lab has been up, with hosts of this image."""
        try:
            return self._complete.read_text() == self._image
        except FileNotFoundError:
            return False

    @property
    def _image(self) -> str:
        """Name of the image that hosts of this checkout have."""
        return image.current(self.paths).directory.name

    @property
    def _complete(self) -> pathlib.Path:
        """Marker of a lab that has been up once since lab/down."""
        return self.paths.state / "complete"

    @functools.cached_property
    def _hosts(self) -> list[machine.Host]:
        return [machine.Host(n) for n in lab_paths.HOST_NUMBERS]

    def _prepare(self) -> None:
        self.paths.make()
        netns.create(self.paths)
        netns.enter(self.paths)
        config.render(self.paths)
        self._stop_outdated()

    def _stop_outdated(self) -> None:
        """Stop what runs another version of the plugin, to be restarted."""
        stamp = self.paths.state / "plugin"
        wanted = deploy.digest(self.paths.root)
        if stamp.exists() and stamp.read_text() != wanted:
            with self.steps("Nova stopped: the plugin has changed"):
                for name in (wsgi.NOVA.daemon_name, *workers.PROGRAMS):
                    process.Daemon(self.paths, name).stop()
        stamp.write_text(wanted)

    def _create(self) -> _Graph:
        return {
            **plane.start(self.paths, self.steps),
            **plane.fill(self.paths, self.steps),
            "image": tasks.Task(self.builder.check),
            **self._each_host("started", self._boot, ("image",)),
            **self._offer(),
            **self._finish("started", _now()),
            "cell": self._step(
                "hosts mapped to Nova's cell", self._map_hosts, ("services",)
            ),
        }

    def _restore(self) -> _Graph:
        return {
            **plane.start(self.paths, self.steps),
            **plane.load(self.paths, self.steps, snapshot.dump(self.paths)),
            "image": tasks.Task(self.builder.check),
            **self._each_host("loaded", self._load, ("image",)),
            **self._each_host(
                "resumed",
                machine.Host.cont,
                (*_CONTROL, *self._names("loaded")),
            ),
            **self._finish("resumed", _now()),
        }

    def _repair(self) -> _Graph:
        return {
            **plane.start(self.paths, self.steps),
            "image": tasks.Task(self.builder.check),
            **self._each_host("alive", self._revive, ("image", *_CONTROL)),
            **self._finish("alive", _LONG_AGO),
            # The catalogue may have grown since.
            "flavors": self._flavors(("services",)),
        }

    def _offer(self) -> _Graph:
        return {
            "images": self._step(
                "images uploaded",
                lambda: catalogue.upload_images(guest.files(self.paths)),
                ("glance", "seed", "image"),
            ),
            "flavors": self._flavors(("nova", "seed", "placement")),
        }

    def _flavors(self, after: tuple[str, ...]) -> tasks.Task:
        return self._step("flavors created", catalogue.create_flavors, after)

    def _finish(self, host_done: str, since: datetime.datetime) -> _Graph:
        return {
            **self._each_host(
                "runs the checkout's plugin",
                self._deploy,
                self._names(host_done),
            ),
            "services": self._step(
                "all of Nova's services report",
                functools.partial(self._wait_services, since),
                (*_CONTROL, *self._names("runs the checkout's plugin")),
            ),
            **self._each_host("is sound", self._heal, ("services", "cell")),
        }

    def _deploy(self, host: machine.Host) -> None:
        if deploy.plugin(host):
            self.restarts.append(_now())

    def _wait_services(
        self, since: datetime.datetime, hangs: int = _HANGS
    ) -> None:
        for host in self._hosts:
            _follow_journal(self.paths, host)
        # What was restarted is not up for what its predecessor reported.
        since = max([since, *self.restarts])
        try:
            cloud.wait_services(
                self.paths, since, _SERVICE_TIMEOUT, self._check_processors
            )
        except machine.Hang as hang:
            if not hangs:
                raise
            self._wait_services(self._start_anew(hang), hangs - 1)

    def _check_processors(self) -> None:
        for host in self._hosts:
            host.check_processors()

    def _boot(self, host: machine.Host) -> None:
        startup.start(host, host.start, self.steps.note)

    def _load(self, host: machine.Host) -> None:
        try:
            host.start(snapshot.NAME)
        except errors.LabError as error:
            raise errors.LabError(
                f"{error}; if it cannot load its snapshot, lab/down --wipe "
                "makes the next lab/up do without",
                error.log,
            ) from error

    def _revive(self, host: machine.Host) -> None:
        if host.alive():
            return
        if snapshot.valid(self.paths):
            self._load(host)
            host.cont()
        else:
            self._boot(host)

    def _heal(self, host: machine.Host) -> None:
        """Start a host anew that hangs, before a snapshot keeps the harm."""
        try:
            health.check(host)
        except machine.Hang as hang:
            self._wait_services(self._start_anew(hang))
            health.check(host)

    def _start_anew(self, hang: machine.Hang) -> datetime.datetime:
        """Start a host that hangs from the disk that it had.

        :returns: when it was off: what its services reported before is of
            an earlier life
        """
        host = hang.host
        self.steps.note(f"{hang}; started anew")
        _journal(self.paths, host).stop()
        host.stop()
        since = _now()
        startup.start(host, host.power_on, self.steps.note)
        return since

    def _map_hosts(self) -> None:
        databases.discover_hosts(self.paths)
        cloud.wait_hypervisors(_HYPERVISOR_TIMEOUT)

    def _names(self, done: str) -> tuple[str, ...]:
        return tuple(f"{host.name} {done}" for host in self._hosts)

    def _each_host(
        self,
        done: str,
        function: collections.abc.Callable[[machine.Host], object],
        needs: tuple[str, ...],
    ) -> _Graph:
        return {
            f"{host.name} {done}": self._step(
                f"{host.name} {done}",
                functools.partial(function, host),
                needs,
            )
            for host in self._hosts
        }

    def _step(
        self,
        what: str,
        function: collections.abc.Callable[[], object],
        needs: tuple[str, ...],
    ) -> tasks.Task:
        return tasks.step(self.steps, what, function, needs)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _follow_journal(paths: lab_paths.Paths, host: machine.Host) -> None:
    """Keep what a host's services say where all other logs are."""
    journal = ["journalctl", "--follow", "--lines=50"]
    journal += [f"--unit={unit}" for unit in (deploy.SERVICE, "libvirtd")]
    _journal(paths, host).start(host.shell.argv(journal, shared=False))


def _journal(paths: lab_paths.Paths, host: machine.Host) -> process.Daemon:
    return process.Daemon(paths, cloud.journal_name(host.name))
