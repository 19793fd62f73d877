# SPDX-License-Identifier: Apache-2.0
"""Nova's driver with its methods replaced, for the tests of what enters it.

Nova's methods are replaced by ones that write down their calls and come back
into the driver as Nova's do.
"""

import pathlib
from unittest import mock

import fixtures
from nova import context
from nova import objects
from nova.compute import task_states
import nova.conf
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import move
from nova_numa_migrate import privsep
from nova_numa_migrate import rpc
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.conf import numa_migrate
from nova_numa_migrate.virt import destination
from nova_numa_migrate.virt import disks
from nova_numa_migrate.virt import driver
from nova_numa_migrate.virt import interrupted
from tests.unit import patching
from tests.unit import topologies

CONF = nova.conf.CONF
HOME = '10.1.0.11'


class Failure(Exception):
    """Any part's failure."""


def _init(self, *_):
    self.capabilities = {}
    self._host = mock.Mock()


class DriverTestCase(patching.PatchingTestCase):
    def setUp(self):
        super().setUp()
        numa_migrate.register_opts(CONF)
        self.root = (
            pathlib.Path(self.useFixture(fixtures.TempDir()).path) / 'numa'
        )
        self.flags(checkpoint_path=str(self.root), group='numa_migrate')
        self.calls = []
        for name in (
            'init_host',
            'get_available_resource',
            'migrate_disk_and_power_off',
            'power_off',
            'confirm_migration',
            'finish_migration',
            'finish_revert_migration',
            '_create_guest',
            'delete_instance_files',
        ):
            self.replace(name, self.noting(name))
        self.replace('__init__', _init)
        self.useFixture(fixtures.MockPatchObject(privsep, 'start'))
        self.saves = self.patch(objects.Instance, 'save')
        for name in ('make_whole', 'bring_swap', 'keep_as_it_is'):
            self.patch(disks, name)
        self.driver = driver.NumaLibvirtDriver(None)
        self.driver.checkpoints.prepare()
        self.taken_away = self.patch(interrupted, 'take_away')
        self.context = context.RequestContext('user', 'project')
        self.instance = self.an_instance(uuids.instance)

    def an_instance(self, uuid):
        return objects.Instance(
            uuid=uuid,
            system_metadata={},
            task_state=task_states.RESIZE_MIGRATING,
            old_flavor=None,
            new_flavor=None,
            flavor=objects.Flavor(),
            numa_topology=topologies.guest(2),
        )

    def replace(self, name, function):
        """Nova's method, from now on."""
        self.useFixture(
            fixtures.MonkeyPatch(
                f'nova.virt.libvirt.driver.LibvirtDriver.{name}', function
            )
        )

    def noting(self, name, then=None):
        def noted(driver, *args, **kwargs):
            self.calls.append((name, *args))
            return then() if then else {'stats': {'theirs': 1}}

        return noted

    def names(self):
        return [call[0] for call in self.calls]

    def remember(
        self,
        state=move.State.SAVED,
        migration=uuids.migration,
        at_a_revert=move.Disks.KEPT,
        **fields,
    ):
        a_move = move.Move(
            migration,
            hint.NodeMap((3, 2)),
            hint.CheckpointMode.REQUIRED,
            state,
            'digest',
            at_a_revert,
            HOME,
            **fields,
        )
        a_move.store(self.instance.system_metadata)
        return a_move

    def checkpoint(self, step=None, migration=uuids.migration, **fields):
        self.image.write_text('memory')
        if step is not None:
            self.driver.checkpoints.record(
                uuids.instance, journal.Journal(migration, step, **fields)
            )

    @property
    def image(self):
        return self.root / f'{uuids.instance}.save'

    def left(self):
        return sorted(path.suffix for path in self.root.iterdir())

    def spending(self, *_):
        """A restore that fails when the guest may have run."""
        self.driver.checkpoints.spend(uuids.instance)
        raise Failure

    def expect_restore(self, **kwargs):
        """The way in which destination.restore is watched."""

        def restored(*args):
            self.calls.append(('restore', *args))
            return mock.sentinel.guest

        return self.patch(
            destination, 'restore', **{'side_effect': restored, **kwargs}
        )

    def know_the_destination(self):
        """Of the migration; what is asked of it goes to what is returned."""
        peers = mock.create_autospec(rpc.NumaComputeAPI, instance=True)
        self.useFixture(fixtures.MockPatchObject(self.driver, 'peers', peers))
        self.patch(
            objects.Migration,
            'get_by_uuid',
            return_value=objects.Migration(
                uuid=uuids.migration, dest_compute='compute2'
            ),
        )
        return peers

    def starting(self, name):
        """Nova's method of that name starts the guest."""

        def start():
            return self.driver._create_guest(
                self.context, '<fresh/>', self.instance, True, False, None
            )

        self.replace(name, self.noting(name, start))
