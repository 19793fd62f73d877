# SPDX-License-Identifier: Apache-2.0
"""A guest that is about to leave, for the tests of its departure.

The store and its files are real; Nova's driver, the transport and root's part
are not, and write down when they are called.
"""

import pathlib
from unittest import mock

import fixtures
from nova import context
from nova import exception
from nova import objects
from nova.compute import power_state
from nova.compute import task_states
from nova.compute import vm_states
import nova.conf
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host
from nova.virt.libvirt.volume import remotefs
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import move
from nova_numa_migrate import privsep
from nova_numa_migrate import rpc
from nova_numa_migrate.checkpoint import store
from nova_numa_migrate.checkpoint import transport
from nova_numa_migrate.checkpoint.demand import Demand
from nova_numa_migrate.conf import numa_migrate
from nova_numa_migrate.virt import disks
from nova_numa_migrate.virt import driver
from nova_numa_migrate.virt import source
from tests.unit import patching
from tests.unit.guest_xml import golden

DEST, HOME = '10.1.0.12', '10.1.0.11'


class Failure(Exception):
    """Any part's failure."""


class Domain:
    """The libvirt domain of a guest that can be saved."""

    def __init__(self, test_case):
        self.test = test_case

    def abortJob(self):
        self.test.fail('there is no reason to')

    def saveFlags(self, path, xml, flags):
        self.test.seen('save')
        pathlib.Path(path).write_text('memory')


class DepartureTestCase(patching.PatchingTestCase):
    def setUp(self):
        super().setUp()
        numa_migrate.register_opts(nova.conf.CONF)
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.calls = []
        self.failing = set()
        self.instance = objects.Instance(
            uuid=uuids.instance,
            vm_state=vm_states.ACTIVE,
            task_state=task_states.RESIZE_MIGRATING,
            system_metadata={},
        )
        self.drop = self.patch(objects.Instance, 'drop_migration_context')
        self.driver = mock.create_autospec(
            driver.NumaLibvirtDriver, instance=True
        )
        self.driver.checkpoints = store.CheckpointStore(self.root)
        self.driver.user_and_group = (42, 43)
        self.driver.slots = self
        self.driver._is_path_shared_with.return_value = False
        self.driver.bring_back.side_effect = self.reverted
        self.driver.transport = mock.create_autospec(
            transport.Transport, instance=True
        )
        self.driver.transport.send.side_effect = lambda *_: self.seen('send')
        self.driver.transport.withdraw.side_effect = lambda *_: self.seen(
            'withdraw'
        )
        self.guest = mock.create_autospec(libvirt_guest.Guest, instance=True)
        self.guest._domain = Domain(self)
        self.guest.get_power_state.return_value = power_state.RUNNING
        self.guest.get_xml_desc.return_value = golden.guest('two-cells').saved
        self.driver.get_host_ip_addr.return_value = HOME
        self.driver._host = mock.create_autospec(
            libvirt_host.Host, instance=True
        )
        self.driver._host.get_guest.return_value = self.guest
        self.driver.demand_of.return_value = Demand('', '', 0, 1)
        self.driver.peers = mock.create_autospec(
            rpc.NumaComputeAPI, instance=True
        )
        self.driver.peers.check_destination.side_effect = self.checked
        self.refusals = []
        self.patch(
            objects.Migration,
            'get_by_uuid',
            return_value=objects.Migration(dest_compute='compute2'),
        )
        self.patch(
            privsep, 'take_over', side_effect=lambda *_: self.seen('take')
        )
        self.patch(objects.InstanceActionEvent, 'event_start')
        self.patch(objects.InstanceActionEvent, 'event_finish_with_failure')
        self.departure = source.Departure(
            self.driver,
            context.RequestContext('user', 'project'),
            self.instance,
            self.a_move(),
            DEST,
            mock.sentinel.network_info,
            {'block_device_mapping': []},
        )
        self.driver._remotefs = mock.create_autospec(
            remotefs.RemoteFilesystem, instance=True
        )
        self.leftover = self.patch(disks, 'remove_leftover')
        self.whole = self.patch(disks, 'make_whole')
        self.swap = self.patch(
            disks, 'bring_swap', side_effect=lambda *_: self.seen('swap')
        )

    # The guest's turn.
    held = 0

    def __enter__(self):
        self.held += 1

    def __exit__(self, *_):
        self.held -= 1

    def seen(self, name):
        """One part is called: note the step that a crash would leave."""
        if name in ('save', 'send', 'copy'):
            self.assertEqual(1, self.held)
        found = self.driver.checkpoints.journal(uuids.instance)
        self.calls.append((name, found and str(found.step)))
        if name in self.failing:
            raise Failure(name)

    def checked(self, context, host, instance, demand):
        self.assertEqual('compute2', host)
        self.seen('check')
        return self.refusals

    def reverted(self, *args):
        self.assertEqual(
            (
                self.departure._context,
                self.instance,
                mock.sentinel.network_info,
                {'block_device_mapping': []},
            ),
            args,
        )
        # The guest cannot go on from a file that is not there.
        self.assertEqual('memory', self.image.read_text())
        self.seen('revert')

    @property
    def image(self):
        return self.root / f'{uuids.instance}.save'

    def a_move(self, mode=hint.CheckpointMode.REQUIRED):
        return move.Move(uuids.migration, hint.NodeMap((3, 2)), mode)

    def run_(self, a_move=None):
        if a_move:
            self.departure._move = a_move

        def plain():
            self.seen('power off')
            return 'disks'

        def saving():
            self.seen('before')
            self.departure.save_and_send()
            self.seen('copy')
            return 'disks'

        return self.departure.run(plain, saving)

    def rolled_back(self):
        error = self.assertRaises(exception.InstanceFaultRollback, self.run_)
        return str(error.inner_exception)

    def names(self):
        return [name for name, _ in self.calls]

    def state(self):
        stored = move.Move.of(self.instance.system_metadata)
        return stored and stored.state
