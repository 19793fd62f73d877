# SPDX-License-Identifier: Apache-2.0
"""Where Nova's driver is entered, and where it is not.

Nova's methods are replaced by ones that write down their calls and come back
into the driver as Nova's do.
"""

import pathlib
import stat
import threading
from unittest import mock

import ddt
import fixtures
from nova import context
from nova import exception as nova_exception
from nova import objects
from nova import test
from nova.compute import power_state
from nova.compute import task_states
import nova.conf
from nova.virt import hardware
from nova.virt.libvirt import driver as libvirt_driver
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
from nova_numa_migrate.virt import guests
from nova_numa_migrate.virt import interrupted
from nova_numa_migrate.virt import nova_transport
from nova_numa_migrate.virt import outbound
from nova_numa_migrate.virt import source
from tests import fake_nodes
from tests.unit import topologies

CONF = nova.conf.CONF
Step = journal.Step
HOME = '10.1.0.11'


BOOT = ['finish_revert_migration', '_create_guest']


class Failure(Exception):
    """Any part's failure."""


class DriverTestCase(test.NoDBTestCase):
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
        self.replace(
            '__init__', lambda driver, *_: setattr(driver, 'capabilities', {})
        )
        self.useFixture(fixtures.MockPatchObject(privsep, 'start'))
        self.saves = self.patch(objects.Instance, 'save')
        for name in ('make_whole', 'bring_swap'):
            self.patch(disks, name)
        self.driver = driver.NumaLibvirtDriver(None)
        self.driver.checkpoints.prepare()
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

    def patch(self, where, name, **kwargs):
        patcher = mock.patch.object(where, name, autospec=True, **kwargs)
        self.addCleanup(patcher.stop)
        return patcher.start()

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

    def starting(self, name):
        """Nova's method of that name starts the guest."""

        def start():
            return self.driver._create_guest(
                self.context, '<fresh/>', self.instance, True, False, None
            )

        self.replace(name, self.noting(name, start))


class StartTestCase(DriverTestCase):
    def test_what_it_is_made_of(self):
        self.assertEqual(self.root, self.driver.checkpoints.root)
        self.assertIsInstance(
            self.driver.transport, nova_transport.NovaTransport
        )

    def test_the_directory_is_private_before_nova_starts(self):
        modes = []
        self.replace(
            'init_host',
            lambda *_: modes.append(stat.S_IMODE(self.root.stat().st_mode)),
        )
        self.root.chmod(0o755)
        self.driver.init_host('compute1')
        self.assertEqual([0o700], modes)

    def test_the_report_says_that_the_plugin_runs(self):
        nodes = self.useFixture(fake_nodes.FakeNodesFixture())
        nodes.set_distances([[10, 20], [20, 10]])
        report = self.driver.get_available_resource('compute1')
        said = '{"0":{"0":10,"1":20},"1":{"0":20,"1":10}}'
        self.assertEqual(
            {
                'theirs': 1,
                'numa_migrate': '1',
                'numa_migrate_distances': said,
            },
            report['stats'],
        )

    def test_so_does_one_without_stats(self):
        self.replace('get_available_resource', lambda *_: {})
        report = self.driver.get_available_resource('compute1')
        self.assertEqual('1', report['stats']['numa_migrate'])


class CapabilityTestCase(DriverTestCase):
    def test_a_plan_may_stay_on_the_host(self):
        capability = 'supports_migrate_to_same_host'
        self.assertIs(True, self.driver.capabilities[capability])


class InPlaceTestCase(DriverTestCase):
    """A guest that changes its nodes and stays on its host."""

    def setUp(self):
        super().setUp()
        self.volumes = {
            'block_device_mapping': [
                {'connection_info': {'serial': 'v1'}},
                {'connection_info': {'serial': 'v2'}},
            ]
        }
        for name in ('unplug_vifs', '_disconnect_volume'):
            self.replace(name, self.noting(name))
        self.saved = self.patch(source.Departure, 'save_and_send')
        self.saves_state = self.patch(
            source.Departure, '_saves_state', return_value=True
        )
        self.patch(
            libvirt_driver.LibvirtDriver,
            'get_host_ip_addr',
            return_value=HOME,
        )

    def migrate(self):
        return self.driver.migrate_disk_and_power_off(
            self.context,
            self.instance,
            HOME,
            self.instance.flavor,
            mock.sentinel.network_info,
            self.volumes,
            60,
            10,
        )

    def assert_left(self, timeout):
        self.assertEqual(
            [
                ('power_off', self.instance, timeout, 10),
                ('unplug_vifs', self.instance, mock.sentinel.network_info),
                (
                    '_disconnect_volume',
                    self.context,
                    {'serial': 'v1'},
                    self.instance,
                ),
                (
                    '_disconnect_volume',
                    self.context,
                    {'serial': 'v2'},
                    self.instance,
                ),
            ],
            self.calls,
        )

    def test_it_is_saved_and_no_disk_is_touched(self):
        self.remember(move.State.OPEN, in_place=True)
        self.assertEqual('[]', self.migrate())
        self.saved.assert_called_once_with()
        self.assert_left(timeout=0)

    def test_without_its_state_it_is_powered_off(self):
        self.remember(move.State.OPEN, in_place=True)
        self.saves_state.return_value = False
        self.assertEqual('[]', self.migrate())
        self.saved.assert_not_called()
        self.assert_left(timeout=60)

    def test_the_way_back_keeps_the_directory(self):
        self.remember(move.State.RESTORED, in_place=True)
        self.checkpoint(Step.SAVED)
        self.instance.task_state = task_states.RESIZE_REVERTING
        self.assertIs(False, self.driver.delete_instance_files(self.instance))
        self.assertEqual(['.json', '.save'], self.left())
        self.assertEqual([], self.calls)

    def test_a_delete_does_not(self):
        self.remember(move.State.RESTORED, in_place=True)
        self.checkpoint(Step.SAVED)
        self.instance.task_state = task_states.DELETING
        self.driver.delete_instance_files(self.instance)
        self.assertEqual([], self.left())
        self.assertEqual(['delete_instance_files'], self.names())

    def test_nor_does_the_way_back_to_another_host(self):
        self.remember(move.State.RESTORED)
        self.instance.task_state = task_states.RESIZE_REVERTING
        self.driver.delete_instance_files(self.instance)
        self.assertEqual(['delete_instance_files'], self.names())


@ddt.ddt
class SourceTestCase(DriverTestCase):
    def setUp(self):
        super().setUp()
        self.saved = self.patch(source.Departure, 'save_and_send')
        self.patch(source.Departure, '_saves_state', return_value=True)
        self.patch(
            source.Departure,
            '_disks_at_a_revert',
            return_value=move.Disks.KEPT,
        )
        self.patch(
            libvirt_driver.LibvirtDriver,
            'get_host_ip_addr',
            return_value=HOME,
        )

    def migrate(self):
        return self.driver.migrate_disk_and_power_off(
            self.context,
            self.instance,
            '10.1.0.12',
            self.instance.flavor,
            mock.sentinel.network_info,
            mock.sentinel.volumes,
            60,
            10,
        )

    def powering_off(self, *instances):
        def power_off():
            for instance in instances:
                self.driver.power_off(instance, 60, 10)
            return 'disks'

        name = 'migrate_disk_and_power_off'
        self.replace(name, self.noting(name, power_off))

    def test_without_a_move_all_is_novas(self):
        self.powering_off(self.instance)
        self.assertEqual('disks', self.migrate())
        self.saved.assert_not_called()
        self.assertEqual(
            [
                (
                    'migrate_disk_and_power_off',
                    self.context,
                    self.instance,
                    '10.1.0.12',
                    self.instance.flavor,
                    mock.sentinel.network_info,
                    mock.sentinel.volumes,
                    60,
                    10,
                ),
                ('power_off', self.instance, 60, 10),
            ],
            self.calls,
        )

    def test_with_one_the_guest_is_saved_and_the_rest_of_a_power_off_done(
        self,
    ):
        self.remember(move.State.OPEN)
        self.powering_off(self.instance)
        self.assertEqual('disks', self.migrate())
        self.saved.assert_called_once_with()
        self.assertEqual(('power_off', self.instance, 0, 10), self.calls[-1])

    def test_only_the_first_power_off_of_only_this_guest(self):
        self.remember(move.State.OPEN)
        other = self.an_instance(uuids.other)
        self.powering_off(other, self.instance, self.instance)
        self.migrate()
        self.assertEqual(1, self.saved.call_count)
        self.assertEqual(
            [(other, 60), (self.instance, 0), (self.instance, 60)],
            [call[1:3] for call in self.calls if call[0] == 'power_off'],
        )

    def test_not_in_another_thread(self):
        self.remember(move.State.OPEN)

        def elsewhere():
            thread = threading.Thread(
                target=self.driver.power_off, args=(self.instance, 60)
            )
            thread.start()
            thread.join()
            return 'disks'

        name = 'migrate_disk_and_power_off'
        self.replace(name, self.noting(name, elsewhere))
        self.migrate()
        self.saved.assert_not_called()

    def test_not_after_a_failure(self):
        self.remember(move.State.OPEN)

        def fail():
            raise Failure

        name = 'migrate_disk_and_power_off'
        self.replace(name, self.noting(name, fail))
        self.assertRaises(Exception, self.migrate)  # noqa: H202
        self.driver.power_off(self.instance, 60)
        self.saved.assert_not_called()

    def test_a_confirm_removes_the_checkpoint(self):
        self.checkpoint(Step.SENT)
        self.driver.confirm_migration(
            self.context, mock.sentinel.migration, self.instance, None
        )
        self.assertEqual([], self.left())
        self.assertEqual(['confirm_migration'], self.names())

    def test_the_end_here_of_a_guest_on_its_way_home_keeps_it(self):
        self.remember(move.State.HOMEWARD)
        self.checkpoint(Step.SENT)
        self.instance.task_state = task_states.RESIZE_REVERTING
        self.driver.delete_instance_files(self.instance)
        self.assertEqual(['.json', '.save'], self.left())

    @ddt.data(None, move.State.SAVED, move.State.HOMEWARD)
    def test_so_does_a_delete(self, state):
        if state is not None:
            self.remember(state)
        self.checkpoint(Step.SENT)
        self.instance.task_state = task_states.DELETING
        self.driver.delete_instance_files(self.instance)
        self.assertEqual([], self.left())
        self.assertEqual(['delete_instance_files'], self.names())


@ddt.ddt
class DestinationTestCase(DriverTestCase):
    def setUp(self):
        super().setUp()
        self.starting('finish_migration')
        self.verified = self.patch(
            destination,
            'verify',
            side_effect=lambda *_: self.calls.append(('verify', self.left())),
        )

    def finish(self):
        self.driver.finish_migration(
            self.context,
            objects.Migration(uuid=uuids.migration),
            self.instance,
            mock.sentinel.disk_info,
        )

    def test_from_the_checkpoint(self):
        a_move = self.remember()
        self.checkpoint()
        self.expect_restore(
            side_effect=lambda *args: self.calls.append(
                ('restore', self.driver.checkpoints.journal(uuids.instance))
            )
        )
        self.finish()
        self.assertEqual(
            ['finish_migration', 'restore', 'verify'], self.names()
        )
        self.assertEqual(
            journal.Journal(uuids.migration, Step.RESTORING, digest='digest'),
            self.calls[1][1],
        )
        # The copy is gone when nobody needs it any more.
        self.assertEqual([], self.calls[2][1])
        self.verified.assert_called_once_with(
            self.context, self.instance, a_move
        )

    @ddt.data(
        (move.Disks.KEPT, []),
        (move.Disks.SHARED, [HOME]),
        (move.Disks.MIXED, [HOME]),
    )
    @ddt.unpack
    def test_one_that_is_not_for_a_revert_is_deleted(self, disks, where):
        self.remember(at_a_revert=disks)
        self.checkpoint()
        self.expect_restore()
        withdraw = self.patch(outbound, 'withdraw')
        self.finish()
        self.assertEqual(
            [mock.call(self.driver, self.instance, host) for host in where],
            withdraw.mock_calls,
        )

    def test_one_without_its_state_is_not_awaited_any_more(self):
        self.remember(move.State.NONE)
        self.driver.checkpoints.record(
            uuids.instance, journal.Journal(uuids.migration, Step.AWAITED)
        )
        self.finish()
        self.assertEqual([], self.left())

    @ddt.data(
        (move.Disks.KEPT, move.State.SAVED),
        (move.Disks.SHARED, move.State.RESTORED),
        (move.Disks.MIXED, move.State.RESTORED),
    )
    @ddt.unpack
    def test_one_that_fails_when_it_may_have_run(self, disks, state):
        self.remember(at_a_revert=disks)
        self.checkpoint()
        self.expect_restore(side_effect=self.spending)
        self.assertRaises(Failure, self.finish)
        stored = move.Move.of(self.instance.system_metadata)
        self.assertIs(state, stored.state)

    def test_the_database_knows_before_the_checkpoint_is_gone(self):
        self.remember()
        self.checkpoint()
        self.expect_restore()
        self.saves.side_effect = lambda *_: self.calls.append(
            (
                move.Move.of(self.instance.system_metadata).state,
                *self.left(),
            )
        )
        self.finish()
        self.assertIn((move.State.RESTORED, '.json', '.save'), self.calls)

    def test_from_here_on_the_guest_has_run_here(self):
        self.remember()
        self.checkpoint()
        self.expect_restore()
        self.verified.side_effect = Failure
        self.assertRaises(Failure, self.finish)
        stored = move.Move.of(self.instance.system_metadata)
        self.assertIs(move.State.RESTORED, stored.state)

    def test_what_the_restore_is_given(self):
        self.remember()
        self.checkpoint()
        restore = self.expect_restore()
        self.finish()
        restore.assert_called_once_with(
            self.driver,
            self.context,
            self.instance,
            'numa_migrate_restore',
            self.image,
            'digest',
            '<fresh/>',
            False,
            None,
        )

    @ddt.data(('raw', '[]'), ('qcow2', mock.sentinel.disk_info))
    @ddt.unpack
    def test_raw_disks_that_stay_raw_are_not_converted(self, images, told):
        self.flags(images_type=images, group='libvirt')
        self.remember()
        self.checkpoint()
        self.expect_restore()
        self.finish()
        self.assertEqual(told, self.calls[0][-1])

    def test_a_checkpoint_that_is_not_here_stops_it_before_the_disks(self):
        self.remember()
        error = self.assertRaises(nova_exception.MigrationError, self.finish)
        self.assertIn(str(self.image), str(error))
        self.assertEqual([], self.calls)

    def test_a_refused_one_is_kept_and_the_guest_not_booted(self):
        self.remember()
        self.checkpoint()
        self.expect_restore(side_effect=Failure)
        self.assertRaises(Failure, self.finish)
        self.assertEqual(['.json', '.save'], self.left())
        self.assertEqual(['finish_migration'], self.names())

    @ddt.data(
        {'state': move.State.NONE},
        {'state': move.State.OPEN},
        {'migration': uuids.earlier},
        None,
    )
    def test_otherwise_the_guest_is_booted(self, remembered):
        if remembered:
            self.remember(**remembered)
        restore = self.expect_restore()
        self.finish()
        restore.assert_not_called()
        self.verified.assert_not_called()
        self.assertEqual(['finish_migration', '_create_guest'], self.names())

    def test_a_later_start_is_a_boot(self):
        self.remember()
        self.checkpoint()
        restore = self.expect_restore()
        self.finish()
        self.driver._create_guest(self.context, '<later/>', self.instance)
        self.assertEqual(1, restore.call_count)
        self.assertEqual('_create_guest', self.names()[-1])


@ddt.ddt
class WayBackTestCase(DriverTestCase):
    def setUp(self):
        super().setUp()
        self.starting('finish_revert_migration')
        self.restore = self.expect_restore()

    def revert(self, task_state=task_states.RESIZE_REVERTING):
        self.instance.task_state = task_state
        self.driver.finish_revert_migration(
            self.context,
            self.instance,
            mock.sentinel.network_info,
            objects.Migration(uuid=uuids.migration, dest_compute='compute2'),
        )

    def assert_restored(self):
        self.assertEqual(['finish_revert_migration', 'restore'], self.names())
        self.assertEqual([], self.left())

    def assert_booted(self):
        self.restore.assert_not_called()
        self.assertEqual(
            ['finish_revert_migration', '_create_guest'], self.names()
        )
        self.assertEqual([], self.left())

    def test_a_revert_over_the_disks_of_the_checkpoint(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.revert()
        self.assert_restored()

    @ddt.data(move.Disks.SHARED, move.Disks.MIXED)
    def test_a_revert_over_disks_that_the_guest_wrote_to_since(self, disks):
        self.remember(move.State.RESTORED, at_a_revert=disks)
        self.checkpoint(Step.SENT)
        self.revert()
        self.assert_booted()

    def test_a_guest_that_never_ran_elsewhere_wherever_the_disks_are(self):
        self.remember(move.State.RETURNING, at_a_revert=move.Disks.SHARED)
        self.checkpoint(Step.SENT, digest='digest')
        self.revert()
        self.assert_restored()
        self.assertEqual('digest', self.restore.call_args.args[5])

    @ddt.data(Step.SAVED, Step.SENT)
    def test_a_failed_move_wherever_the_disks_are(self, step):
        self.remember(at_a_revert=move.Disks.SHARED)
        self.checkpoint(step)
        self.revert(task_states.RESIZE_MIGRATING)
        self.assert_restored()

    def test_one_that_was_brought_from_the_destination(self):
        self.remember(move.State.HOMEWARD, at_a_revert=move.Disks.SHARED)
        self.checkpoint(Step.SENT, digest='older')
        peers = self.useFixture(
            fixtures.MockPatchObject(
                rpc.NumaComputeAPI, 'discard_checkpoint', autospec=True
            )
        ).mock
        self.patch(rpc.NumaComputeAPI, '__init__', return_value=None)
        self.revert()
        self.assert_restored()
        self.assertEqual('digest', self.restore.call_args.args[5])
        peers.assert_called_once_with(
            self.context,
            'compute2',
            self.instance,
            uuids.migration,
        )

    def test_one_that_was_brought_and_is_not_here(self):
        self.remember(move.State.HOMEWARD, at_a_revert=move.Disks.SHARED)
        error = self.assertRaises(nova_exception.MigrationError, self.revert)
        self.assertIn(str(self.image), str(error))
        self.assertEqual([], self.calls)

    def test_an_incomplete_checkpoint(self):
        self.remember()
        self.checkpoint(Step.SAVING)
        self.revert()
        self.assert_booted()

    @ddt.data(task_states.RESIZE_MIGRATING, task_states.RESIZE_REVERTING)
    def test_another_migrations_checkpoint(self, task_state):
        self.remember()
        self.checkpoint(Step.SENT, uuids.earlier)
        self.revert(task_state)
        self.assert_booted()

    @ddt.data(task_states.RESIZE_MIGRATING, task_states.RESIZE_REVERTING)
    def test_one_left_over_where_this_move_has_no_plan(self, task_state):
        self.checkpoint(Step.SENT)
        self.revert(task_state)
        self.assert_booted()

    def test_a_file_without_words(self):
        self.remember()
        self.checkpoint()
        self.revert()
        self.assert_booted()

    def test_none_at_all(self):
        self.revert()
        self.assert_booted()

    def interrupted(self, ending):
        self.remember()
        self.checkpoint(Step.SAVING)
        self.patch(interrupted, 'ending', return_value=ending)
        self.revert(task_states.RESIZE_MIGRATING)

    def test_an_interrupted_save_that_came_to_its_end(self):
        self.interrupted(interrupted.Ending.SAVED)
        self.assert_restored()

    def test_an_interrupted_save_that_lost_the_guest(self):
        self.interrupted(interrupted.Ending.LOST)
        self.assert_booted()

    def test_an_interrupted_save_that_left_the_guest_running(self):
        self.interrupted(interrupted.Ending.HERE)
        self.restore.assert_not_called()
        self.assertEqual([], self.names())
        self.assertEqual([], self.left())

    @ddt.data(
        (move.State.SAVED, True, []),
        (move.State.SAVED, False, BOOT),
        (move.State.HOMEWARD, False, BOOT),
    )
    @ddt.unpack
    def test_one_that_was_going_on_here_already(self, state, runs, calls):
        self.remember(state)
        self.checkpoint(Step.SENT)
        self.driver.checkpoints.spend(uuids.instance)
        self.patch(interrupted, 'goes_on', return_value=runs)
        self.revert(task_states.RESIZE_MIGRATING)
        # Never a second time: its disks know more by now.
        self.restore.assert_not_called()
        self.assertEqual(calls, self.names())
        self.assertEqual([], self.left())

    def test_an_interrupted_save_of_which_nothing_is_known(self):
        self.remember()
        self.checkpoint(Step.SAVING)
        self.patch(interrupted, 'ending', side_effect=Failure)
        self.assertRaises(Failure, self.revert, task_states.RESIZE_MIGRATING)
        self.assertEqual([], self.names())
        self.assertEqual(['.json', '.save'], self.left())

    def test_a_refused_one_is_kept(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.restore.side_effect = Failure('it is on fire')
        error = self.assertRaises(nova_exception.MigrationError, self.revert)
        self.assertIn('it is on fire. The guest\'s state is kept', str(error))
        self.assertIn('"openstack server reboot --hard"', str(error))
        self.assertEqual(['.json', '.save'], self.left())

    def test_a_guest_that_is_to_stay_off_is_not_restored(self):
        self.remember()
        self.checkpoint(Step.SENT)
        name = 'finish_revert_migration'
        self.replace(
            name,
            self.noting(
                name,
                lambda: self.driver._create_guest(
                    self.context, '<x/>', self.instance, power_on=False
                ),
            ),
        )
        self.revert()
        self.restore.assert_not_called()


@ddt.ddt
class RebootTestCase(DriverTestCase):
    """A guest that was saved, and that neither host could start."""

    def setUp(self):
        super().setUp()
        self.starting('finish_revert_migration')
        self.restore = self.expect_restore()
        for name in ('reboot', 'power_on'):
            self.replace(name, self.noting(name))
        self.peers = mock.create_autospec(rpc.NumaComputeAPI, instance=True)
        self.useFixture(
            fixtures.MockPatchObject(self.driver, 'peers', self.peers)
        )
        self.patch(
            objects.Migration,
            'get_by_uuid',
            return_value=objects.Migration(dest_compute='compute2'),
        )
        self.gone = self.patch(
            driver.NumaLibvirtDriver, 'is_gone', return_value=True
        )

    def reboot(self, kind='HARD'):
        self.driver.reboot(
            self.context,
            self.instance,
            mock.sentinel.network_info,
            kind,
            block_device_info=mock.sentinel.disks,
            accel_info=[],
        )

    def assert_rebooted(self):
        self.restore.assert_not_called()
        self.assertEqual(['reboot'], self.names())

    @ddt.data(
        (move.State.OPEN, Step.SAVED),
        (move.State.SAVED, Step.SENT),
        (move.State.SAVED, Step.RESTORING),
        (move.State.RETURNING, Step.SENT),
        (move.State.HOMEWARD, Step.SAVING),
    )
    @ddt.unpack
    def test_it_goes_on(self, state, step):
        self.remember(state)
        self.checkpoint(step, digest='digest')
        self.reboot()
        self.assertEqual(['finish_revert_migration', 'restore'], self.names())
        self.assertEqual('digest', self.restore.call_args.args[5])
        stored = move.Move.of(self.instance.system_metadata)
        self.assertIs(move.State.RESTORED, stored.state)
        self.assertEqual([], self.left())

    @ddt.data(
        (move.State.RESTORED, Step.SENT),
        (move.State.NONE, Step.SENT),
        (move.State.SAVED, Step.SAVING),
        (move.State.SAVED, Step.AWAITED),
    )
    @ddt.unpack
    def test_it_has_gone_on_or_was_never_saved(self, state, step):
        self.remember(state)
        self.checkpoint(step)
        self.reboot()
        self.assert_rebooted()

    def test_another_migrations_checkpoint(self):
        self.remember()
        self.checkpoint(Step.SENT, uuids.earlier)
        self.reboot()
        self.assert_rebooted()

    def test_it_may_have_gone_on(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.driver.checkpoints.spend(uuids.instance)
        self.reboot()
        self.assert_rebooted()

    def test_there_is_none(self):
        self.reboot()
        self.assert_rebooted()

    def test_it_runs(self):
        self.gone.return_value = False
        self.remember()
        self.checkpoint(Step.SENT)
        self.reboot()
        self.assert_rebooted()

    def test_a_soft_reboot_is_for_guests_that_run(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.reboot('SOFT')
        self.assert_rebooted()

    def test_it_cannot_start_again(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.restore.side_effect = Failure
        self.assertRaises(nova_exception.MigrationError, self.reboot)
        self.assertEqual(['.json', '.save'], self.left())
        stored = move.Move.of(self.instance.system_metadata)
        self.assertIs(move.State.SAVED, stored.state)

    def test_the_move_is_known_as_long_as_it_is_pending(self):
        self.remember(move.State.RETURNING)
        self.checkpoint(Step.SENT)
        self.assertTrue(self.driver.has_pending_state(self.instance))
        self.gone.side_effect = nova_exception.HypervisorUnavailable
        self.assertTrue(self.driver.has_pending_state(self.instance))
        self.image.unlink()
        self.assertFalse(self.driver.has_pending_state(self.instance))

    def test_a_boot_gives_it_up(self):
        self.remember()
        self.checkpoint(Step.SENT)
        self.driver.power_on(
            self.context, self.instance, mock.sentinel.network_info
        )
        self.assertEqual(['power_on'], self.names())
        self.assertEqual([], self.left())
        stored = move.Move.of(self.instance.system_metadata)
        self.assertIs(move.State.NONE, stored.state)

    @ddt.data('reboot', 'power_on')
    def test_the_destination_s_is_not_needed_any_more(self, way):
        """The guest was taken home, and could not go on there."""
        self.remember(move.State.HOMEWARD)
        self.checkpoint(Step.SENT)
        if way == 'reboot':
            self.reboot()
        else:
            self.driver.power_on(
                self.context, self.instance, mock.sentinel.network_info
            )
        self.peers.discard_checkpoint.assert_called_once_with(
            self.context, 'compute2', self.instance, uuids.migration
        )
        self.assertEqual([], self.left())


OWN = ('peers', 'bring_back', '_bring_back', '_restoring')


@ddt.ddt
class IsGoneTestCase(DriverTestCase):
    @ddt.data(
        (power_state.RUNNING, False),
        (power_state.PAUSED, False),
        (power_state.SUSPENDED, False),
        (power_state.NOSTATE, False),
        (power_state.SHUTDOWN, True),
        (power_state.CRASHED, True),
    )
    @ddt.unpack
    def test_by_what_libvirt_says(self, state, gone):
        get_info = self.patch(libvirt_driver.LibvirtDriver, 'get_info')
        get_info.return_value = hardware.InstanceInfo(state)
        self.assertIs(gone, self.driver.is_gone(self.instance))

    def test_there_is_no_such_guest(self):
        self.patch(
            libvirt_driver.LibvirtDriver,
            'get_info',
            side_effect=nova_exception.InstanceNotFound(instance_id='u'),
        )
        self.assertIs(True, self.driver.is_gone(self.instance))


class WarmUpTestCase(DriverTestCase):
    def warm_up(self, image='base', **kwargs):
        self.instance.image_ref = image
        with mock.patch.object(
            libvirt_driver.LibvirtDriver,
            'cache_image',
            autospec=True,
            **kwargs,
        ) as cache:
            self.driver.warm_up(self.context, self.instance)
        return cache

    def test_the_base_image_is_fetched_ahead(self):
        cache = self.warm_up()
        cache.assert_called_once_with(self.context, 'base')

    def test_a_guest_on_a_volume_has_none(self):
        self.warm_up('').assert_not_called()

    def test_a_failure_is_no_reason_to_refuse(self):
        with self.assertLogs(guests.LOG.logger, 'WARNING') as log:
            self.warm_up(side_effect=Failure('gone'))
        self.assertIn('Image base could not be fetched', log.output[0])


class SignaturesTestCase(test.NoDBTestCase):
    def test_nova_has_what_is_entered(self):
        for name in vars(driver.NumaLibvirtDriver):
            if name.startswith('__') or name in OWN:
                continue
            self.assertTrue(hasattr(libvirt_driver.LibvirtDriver, name), name)
