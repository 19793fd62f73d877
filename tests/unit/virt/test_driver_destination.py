# SPDX-License-Identifier: Apache-2.0
"""Where the driver is entered on the host that a guest comes to."""

from unittest import mock

import ddt
from nova import exception as nova_exception
from nova import objects
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.virt import destination
from nova_numa_migrate.virt import outbound
from tests.unit.virt import driver_base

Step = journal.Step


@ddt.ddt
class DestinationTestCase(driver_base.DriverTestCase):
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
        (move.Disks.SHARED, [driver_base.HOME]),
        (move.Disks.MIXED, [driver_base.HOME]),
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
        self.assertRaises(driver_base.Failure, self.finish)
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
        self.verified.side_effect = driver_base.Failure
        self.assertRaises(driver_base.Failure, self.finish)
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
        self.expect_restore(side_effect=driver_base.Failure)
        self.assertRaises(driver_base.Failure, self.finish)
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
