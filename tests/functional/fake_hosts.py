# SPDX-License-Identifier: Apache-2.0
"""Hosts of their own within one test process.

Nova's fixtures run every compute service in one process, where all of them
share CONF and one file system, so that no file ever has to travel.  Here each
host has its own directories, address and name: a driver that is called looks
at its own host's configuration, and Nova's remote file system driver reaches
the directories of another host by its address.  Nothing of Nova's own
migration path is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
import functools
import os
import pathlib
import shutil
import threading
from typing import Any

import fixtures
import nova.conf
from nova.virt.libvirt.volume import remotefs
from oslo_concurrency import processutils
from oslo_config import cfg

from nova_numa_migrate.checkpoint import store

CONF = nova.conf.CONF

_here = threading.local()


def here() -> Host:
    """The host on which the calling code runs."""
    host: Host = _here.host
    return host


class Host:
    """One host's directories and address."""

    def __init__(self, root: pathlib.Path, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.root = root / name
        #: Where the calls of this host's driver are written down, if at all.
        self.record: list[tuple[str, str]] | None = None
        self.instances = self.root / 'instances'
        self.checkpoints = self.root / 'numa_migrate'
        self.instances.mkdir(parents=True)
        self.options = {
            (None, 'host'): name,
            (None, 'my_ip'): address,
            # Its default is $my_ip, looked up behind our back.
            ('libvirt', 'migration_inbound_addr'): address,
            (None, 'instances_path'): str(self.instances),
            ('numa_migrate', 'checkpoint_path'): str(self.checkpoints),
        }

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Code that runs within looks at this host."""
        before = getattr(_here, 'host', None)
        _here.host = self
        try:
            yield
        finally:
            _here.host = before

    def bind(self, driver: Any) -> None:
        """Let every public call of a driver look at this host."""
        for name in dir(type(driver)):
            value = getattr(type(driver), name)
            if callable(value) and not name.startswith('_'):
                setattr(driver, name, self._bound(driver, name))

    def _bound(self, driver: Any, name: str) -> Callable[..., Any]:
        # Looked up at each call, so that a test's patch of the class counts.
        @functools.wraps(getattr(type(driver), name))
        def call(*args: Any, **kwargs: Any) -> Any:
            method = getattr(type(driver), name).__get__(driver)
            if self.record is not None:
                self.record.append((self.name, name))
            with self.entered():
                return method(*args, **kwargs)

        return call

    def checkpoint_files(self) -> list[str]:
        """The names of the files in this host's checkpoint directory."""
        if not self.checkpoints.exists():
            return []
        return sorted({*os.listdir(self.checkpoints)} - {store.OWNER})


class FakeHostsFixture(fixtures.Fixture):
    """The hosts of one test."""

    def _setUp(self) -> None:
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.hosts: dict[str, Host] = {}
        for owner, name in (
            (cfg.ConfigOpts, 'oslo_config.cfg.ConfigOpts'),
            (
                cfg.ConfigOpts.GroupAttr,
                'oslo_config.cfg.ConfigOpts.GroupAttr',
            ),
        ):
            self.useFixture(
                fixtures.MonkeyPatch(
                    f'{name}.__getattr__', _per_host(owner.__getattr__)
                )
            )
        self.useFixture(
            fixtures.MonkeyPatch(
                'nova.virt.libvirt.volume.remotefs.SshDriver',
                functools.partial(RemoteDirectories, self),
            )
        )
        self.useFixture(
            fixtures.MonkeyPatch(
                'nova.virt.libvirt.driver.LibvirtDriver'
                '.check_instance_shared_storage_remote',
                _sees_its_own,
            )
        )

    def add(self, name: str) -> Host:
        """A new host, or the one of that name that came back."""
        if name not in self.hosts:
            address = f'192.0.2.{len(self.hosts) + 1}'
            self.hosts[name] = Host(self.root, name, address)
        return self.hosts[name]

    def at(self, address: str, path: str) -> pathlib.Path:
        """Where the host with that address keeps one of our paths.

        The directories of all hosts would have the same names in a cloud.
        """
        (host,) = (h for h in self.hosts.values() if h.address == address)
        relative = pathlib.Path(path).relative_to(self.root)
        return host.root.joinpath(*relative.parts[1:])


class RecordedCallsFixture(fixtures.Fixture):
    """The public calls of every host's driver, as (host, name)."""

    def __init__(self, hosts: FakeHostsFixture) -> None:
        super().__init__()
        self._hosts = hosts

    def _setUp(self) -> None:
        self.made: list[tuple[str, str]] = []
        for host in self._hosts.hosts.values():
            self.addCleanup(setattr, host, 'record', host.record)
            host.record = self.made


def _per_host(stock: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def look_up(conf: Any, name: str) -> Any:
        host = getattr(_here, 'host', None)
        if host is not None:
            group = None
            if isinstance(conf, cfg.ConfigOpts.GroupAttr):
                group = conf._group.name
            if (group, name) in host.options:
                return host.options[group, name]
        return stock(conf, name)

    return look_up


def _sees_its_own(driver: Any, context: Any, data: dict[str, str]) -> bool:
    """Whether a host has the directory in which another has left a mark.

    The fixture's image backend does not say that it is a shared one.
    """
    if CONF.libvirt.images_type == 'rbd':
        return True
    path = pathlib.Path(data['filename'])
    return path.is_relative_to(here().root) and path.exists()


def _as_ssh_does(call: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(call)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            call(*args, **kwargs)
        except OSError as error:
            raise processutils.ProcessExecutionError(
                stderr=str(error), exit_code=1, cmd=call.__name__
            ) from error

    return run


class RemoteDirectories(remotefs.RemoteFilesystemDriver):
    """Nova's ssh driver, with the hosts of this process at the other end."""

    def __init__(self, hosts: FakeHostsFixture) -> None:
        self._hosts = hosts

    @_as_ssh_does
    def create_file(self, host, dst_path, on_execute, on_completion):
        self._hosts.at(host, dst_path).touch()

    @_as_ssh_does
    def remove_file(self, host, dst_path, on_execute, on_completion):
        self._hosts.at(host, dst_path).unlink()

    @_as_ssh_does
    def create_dir(self, host, dst_path, on_execute, on_completion):
        self._hosts.at(host, dst_path).mkdir(parents=True, exist_ok=True)

    @_as_ssh_does
    def remove_dir(self, host, dst_path, on_execute, on_completion):
        shutil.rmtree(self._hosts.at(host, dst_path), ignore_errors=True)

    @_as_ssh_does
    def copy_file(self, src, dst, on_execute, on_completion, compression):
        # scp creates a file with the modes of the one it reads.
        shutil.copy(self._local(src), self._local(dst))

    def _local(self, path: str) -> str:
        address, colon, remote = path.rpartition(':')
        return str(self._hosts.at(address, remote)) if colon else path
