# SPDX-License-Identifier: Apache-2.0
"""A guest leaves: the order of its steps, and the way back from each.

The store and its files are real; Nova's driver, the transport and root's part
are not, and write down when they are called.
"""

import dataclasses
import pathlib
import re
import threading
from unittest import mock

import ddt
import fixtures
from nova import context
from nova import exception
from nova import objects
from nova import test
from nova.compute import power_state
from nova.compute import task_states
from nova.compute import vm_states
import nova.conf
from nova.virt.libvirt import driver as libvirt_driver
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host
from nova.virt.libvirt import utils as libvirt_utils
from nova.virt.libvirt.volume import remotefs
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import move
from nova_numa_migrate import privsep
from nova_numa_migrate import rpc
from nova_numa_migrate.checkpoint import digest
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.checkpoint import store
from nova_numa_migrate.checkpoint import transport
from nova_numa_migrate.checkpoint.demand import Demand
from nova_numa_migrate.conf import numa_migrate
from nova_numa_migrate.virt import disks
from nova_numa_migrate.virt import driver
from nova_numa_migrate.virt import interrupted
from nova_numa_migrate.virt import source
from tests.unit.guest_xml import golden

Step = journal.Step
DEST, HOME = '10.1.0.12', '10.1.0.11'
PCI = (
    '<domain><devices><hostdev type="pci"><alias name="hostdev0"/></hostdev>'
    '</devices></domain>'
)


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


class DepartureTestCase(test.NoDBTestCase):
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

    def patch(self, where, name, **kwargs):
        patcher = mock.patch.object(where, name, autospec=True, **kwargs)
        self.addCleanup(patcher.stop)
        return patcher.start()

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


class OrderTestCase(DepartureTestCase):
    def test_a_save_that_takes_too_long_is_given_up(self):
        self.flags(checkpoint_timeout=1, group='numa_migrate')
        aborted = threading.Event()
        self.guest._domain.abortJob = aborted.set

        def save(*_):
            self.assertTrue(aborted.wait(60))
            raise Failure('operation aborted')

        self.guest._domain.saveFlags = save
        text = self.rolled_back()
        self.assertIn('checkpoint_timeout, 1 s', text)
        self.driver.bring_back.assert_not_called()

    def test_everything_goes_well(self):
        self.assertEqual('disks', self.run_())
        self.assertEqual(
            [
                ('before', None),
                ('check', None),
                ('save', 'saving'),
                ('take', 'saving'),
                # It is on its way while the disk here takes it, too.
                ('send', mock.ANY),
                ('copy', 'saved'),
                ('swap', 'saved'),
            ],
            self.calls,
        )
        self.whole.assert_called_once_with(self.driver, self.instance)
        self.swap.assert_called_once_with(self.driver, self.instance, DEST)
        self.assertEqual(
            journal.Journal(
                uuids.migration, Step.SENT, digest.of_file(self.image)
            ),
            self.driver.checkpoints.journal(uuids.instance),
        )
        stored = move.Move.of(self.instance.system_metadata)
        self.assertEqual(
            self.a_move()
            .left('disks')
            .saved(stored.digest, stored.disks, HOME),
            stored,
        )
        self.assertEqual(digest.of_file(self.image), stored.digest)
        self.driver.transport.send.assert_called_once_with(self.image, DEST)
        privsep.take_over.assert_called_once_with(str(self.image), 42, 43)

    def test_it_is_on_the_disk_before_the_journal_says_so(self):
        synced = []

        def sync(path):
            synced.append(
                (path, self.driver.checkpoints.journal(uuids.instance).step)
            )

        with mock.patch.object(
            journal, 'sync', autospec=True, side_effect=sync
        ):
            self.run_()
        self.assertIn((self.image, Step.SAVING), synced)

    def test_a_disk_that_does_not_take_it_sends_the_guest_back(self):
        def sync(path):
            if path == self.image:
                raise OSError(5, 'Input/output error')

        with mock.patch.object(
            journal, 'sync', autospec=True, side_effect=sync
        ):
            self.assertIn('Input/output error', self.rolled_back())
        self.driver.bring_back.assert_called_once()

    def test_the_events_that_operators_see(self):
        self.run_()
        started = objects.InstanceActionEvent.event_start.call_args_list
        self.assertEqual(
            [
                'numa_migrate_check',
                'numa_migrate_checkpoint',
                'numa_migrate_transfer',
            ],
            [call.args[2] for call in started],
        )


@ddt.ddt
class WayBackTestCase(DepartureTestCase):
    def test_before_the_save_nothing_has_happened(self):
        self.failing = {'before'}
        self.rolled_back()
        self.assertEqual(['before', 'withdraw'], self.names())

    def test_a_disk_that_cannot_be_made_whole_stops_nothing(self):
        self.whole.side_effect = Failure('vdb')
        self.assertIn('vdb', self.rolled_back())
        self.assertEqual(['withdraw'], self.names())

    def test_novas_own_refusal_comes_through(self):
        refusal = exception.InstanceFaultRollback(Failure('no room'))
        error = self.assertRaises(
            exception.InstanceFaultRollback,
            self.departure.run,
            mock.Mock(),
            mock.Mock(side_effect=refusal),
        )
        self.assertIs(refusal, error)
        self.driver.bring_back.assert_not_called()

    def test_a_destination_that_cannot_go_on_with_it(self):
        self.refusals = ['Host compute2 cannot take the guest: no node']
        text = self.rolled_back()
        self.assertIn('cannot take the guest: no node', text)
        self.assertIn('The guest runs on', text)
        self.assertEqual(['before', 'check', 'withdraw'], self.names())
        self.assertEqual([], list(self.root.iterdir()))

    def test_a_source_without_room_for_the_checkpoint(self):
        self.driver.demand_of.return_value = Demand('', '', 0, 1 << 50)
        text = self.rolled_back()
        self.assertIn('the checkpoint may take', text)
        self.assertIn(str(self.root), text)
        self.assertEqual([], list(self.root.iterdir()))

    def test_a_failed_save_leaves_the_running_guest_alone(self):
        self.failing = {'save'}
        self.image.write_text('half')
        text = self.rolled_back()
        self.assertIn('numa_migrate_checkpoint failed', text)
        self.assertEqual(['before', 'check', 'save', 'withdraw'], self.names())
        self.assertEqual([], list(self.root.iterdir()))
        self.assertIsNone(self.state())

    @ddt.data(
        ('take', ['before', 'check', 'save', 'take']),
        ('send', ['before', 'check', 'save', 'take', 'send']),
        ('copy', ['before', 'check', 'save', 'take', 'send', 'copy']),
        (
            'swap',
            ['before', 'check', 'save', 'take', 'send', 'copy', 'swap'],
        ),
    )
    @ddt.unpack
    def test_a_saved_guest_goes_on_here_with_its_state(self, failing, before):
        self.failing = {failing}
        text = self.rolled_back()
        self.assertIn(failing, text)
        self.assertEqual(before, self.names()[: len(before)])
        self.assertEqual(
            {'revert', 'withdraw'}, set(self.names()[len(before) :])
        )
        self.driver.transport.withdraw.assert_called_once_with(
            self.image, DEST
        )
        self.assertEqual([], list(self.root.iterdir()))
        self.assertIsNone(self.state())

    def test_a_copy_that_cannot_be_withdrawn_does_not_keep_the_guest_off(self):
        self.failing = {'send', 'withdraw'}
        self.assertIn('send', self.rolled_back())
        self.assertIn('revert', self.names())
        self.assertEqual([], list(self.root.iterdir()))

    def test_a_checkpoint_that_is_refused_here_as_well_is_kept(self):
        self.failing = {'send', 'revert'}
        self.assertRaises(Failure, self.run_)
        self.assertEqual('memory', self.image.read_text())
        self.assertIs(
            Step.SAVED, self.driver.checkpoints.journal(uuids.instance).step
        )

    def _stop_in_the_save(self, ending):
        self.failing = {'save'}
        self.image.write_text('memory')
        self.guest.get_power_state.side_effect = [
            power_state.RUNNING,
            power_state.SHUTDOWN,
        ]
        self.patch(interrupted, 'ending', side_effect=ending)

    def test_a_guest_that_is_lost_in_the_save(self):
        self._stop_in_the_save([interrupted.Ending.LOST])
        self.rolled_back()
        self.assertNotIn('revert', self.names())
        self.assertIn('withdraw', self.names())
        self.assertEqual([], list(self.root.iterdir()))

    def test_a_guest_that_is_whole_though_the_save_failed(self):
        self._stop_in_the_save([interrupted.Ending.SAVED])
        self.rolled_back()
        self.assertIn('revert', self.names())
        self.assertEqual([], list(self.root.iterdir()))

    def test_one_of_which_libvirt_does_not_tell_is_kept(self):
        self._stop_in_the_save(Failure('no answer'))
        self.assertRaises(Failure, self.run_)
        self.assertNotIn('revert', self.names())
        self.assertEqual('memory', self.image.read_text())

    @ddt.data('SAVED', 'SENT')
    def test_an_entry_cannot_be_written(self, step):
        write = journal.Journal.write

        def full(entry, path):
            if entry.step.name == step:
                raise OSError(28, 'No space left on device')
            write(entry, path)

        with mock.patch.object(journal.Journal, 'write', new=full):
            self.assertIn('No space left', self.rolled_back())
        self.assertIn('revert', self.names())
        self.assertEqual([], list(self.root.iterdir()))
        self.assertIsNone(self.state())


class InPlaceTestCase(DepartureTestCase):
    """A guest that changes its nodes and stays on its host."""

    def setUp(self):
        super().setUp()
        self.driver.get_host_ip_addr.return_value = DEST

    def a_move(self, *args):
        return dataclasses.replace(super().a_move(*args), in_place=True)

    def test_nothing_is_sent(self):
        self.assertEqual('disks', self.run_())
        # Before anything else is done with the guest, the file is kept.
        self.assertEqual(
            [
                ('before', None),
                ('check', None),
                ('save', 'saving'),
                ('take', 'saving'),
                ('copy', 'saved'),
            ],
            self.calls,
        )
        self.assertEqual(
            Step.SENT, self.driver.checkpoints.journal(uuids.instance).step
        )
        stored = move.Move.of(self.instance.system_metadata)
        self.assertEqual(
            self.a_move().left('disks').saved('', move.Disks.SHARED, DEST),
            stored,
        )
        self.whole.assert_not_called()

    def test_nothing_is_withdrawn(self):
        self.failing = {'copy'}
        self.rolled_back()
        self.assertIn('revert', self.names())
        self.assertNotIn('withdraw', self.names())
        self.assertEqual([], list(self.root.iterdir()))


@ddt.ddt
class WithoutStateTestCase(DepartureTestCase):
    def assert_plain(self, a_move=None):
        self.assertEqual('disks', self.run_(a_move))
        self.assertEqual(['power off'], self.names())
        self.assertIs(move.State.NONE, self.state())
        self.assertEqual([], list(self.root.iterdir()))

    def test_asked_so(self):
        self.assert_plain(self.a_move(hint.CheckpointMode.NEVER))
        self.driver._host.get_guest.assert_not_called()

    @ddt.data(*hint.CheckpointMode)
    def test_a_stopped_guest_has_none(self, mode):
        self.instance.vm_state = vm_states.STOPPED
        self.assert_plain(self.a_move(mode))

    def test_a_blocker_where_it_is_preferred(self):
        self.guest.get_xml_desc.return_value = PCI
        self.assert_plain(self.a_move(hint.CheckpointMode.PREFERRED))

    def test_a_blocker_where_it_is_required(self):
        self.guest.get_xml_desc.return_value = PCI
        text = self.rolled_back()
        self.assertIn('PCI device passed through (hostdev0)', text)
        self.assertIn('numa_checkpoint=preferred', text)
        self.assertEqual([], self.calls)

    def test_all_that_stands_against_it_is_named(self):
        self.guest.get_xml_desc.return_value = PCI.replace(
            '<hostdev',
            '<disk type="block"><target dev="vda"/></disk>'
            '<disk type="block"><target dev="vdb"/></disk><hostdev',
        )
        self.guest.get_power_state.return_value = power_state.PAUSED
        self.departure._block_device_info = {
            'block_device_mapping': [{'mount_device': '/dev/vdb'}]
        }
        self.assertIn(
            'cannot be checkpointed: it is paused, not running; PCI device '
            'passed through (hostdev0); LVM disk (vda). Remove',
            self.rolled_back(),
        )

    @ddt.data(power_state.PAUSED, power_state.CRASHED, power_state.SHUTDOWN)
    def test_a_guest_that_does_not_run(self, state):
        self.guest.get_power_state.return_value = state
        name = power_state.STATE_MAP[state]
        self.assertIn(f'it is {name}, not running', self.rolled_back())
        self.assertEqual([], self.calls)

    def test_preferred_and_nothing_against_it(self):
        self.run_(self.a_move(hint.CheckpointMode.PREFERRED))
        self.assertIs(move.State.SAVED, self.state())


class DisksTestCase(DepartureTestCase):
    def disks(self):
        self.run_()
        return move.Move.of(self.instance.system_metadata).disks

    def test_files_are_there_at_a_revert(self):
        xml = golden.guest('two-cells').saved
        (path,) = set(re.findall("file='(.*)/disk'", xml))
        self.patch(libvirt_utils, 'get_instance_path', return_value=path)
        self.assertIs(move.Disks.KEPT, self.disks())

    def test_those_elsewhere_are_not(self):
        self.assertIs(move.Disks.SHARED, self.disks())


class WithdrawTestCase(DepartureTestCase):
    def setUp(self):
        super().setUp()
        self.flags(instances_path=str(self.root))
        self.files = self.driver._remotefs

    def withdraw(self, dest=DEST):
        source.withdraw(self.driver, self.instance, dest)
        self.driver.transport.withdraw.assert_called_once_with(
            self.image, dest
        )

    @property
    def directory(self):
        return self.root / uuids.instance

    def test_the_other_hosts_directory_goes(self):
        self.withdraw()
        self.files.remove_dir.assert_called_once_with(
            DEST, str(self.directory)
        )

    def test_not_one_that_is_this_hosts_as_well(self):
        self.files.create_dir.side_effect = lambda _, path: pathlib.Path(
            path
        ).mkdir()
        self.files.create_file.side_effect = lambda _, path: pathlib.Path(
            path
        ).touch()
        self.withdraw()
        self.files.remove_dir.assert_not_called()
        self.assertEqual([], list(self.directory.iterdir()))

    def test_not_without_an_answer(self):
        self.files.create_file.side_effect = Failure
        self.failing = {'withdraw'}
        self.withdraw()
        self.files.remove_dir.assert_not_called()

    def test_not_this_host_itself(self):
        source.withdraw(self.driver, self.instance, HOME)
        self.driver.transport.withdraw.assert_not_called()
        self.assertEqual([], self.files.mock_calls)


class NovasDriverTestCase(test.NoDBTestCase):
    def test_novas_way_back_takes_what_it_is_given(self):
        novas = libvirt_driver.LibvirtDriver.finish_revert_migration
        names = novas.__code__.co_varnames[1:6]
        self.assertEqual(
            (
                'context',
                'instance',
                'network_info',
                'migration',
                'block_device_info',
            ),
            names,
        )
