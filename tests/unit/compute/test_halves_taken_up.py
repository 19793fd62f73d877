# SPDX-License-Identifier: Apache-2.0
"""Each half of a revert is taken up where it stopped."""

from unittest import mock

import ddt
from nova.compute import vm_states
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.checkpoint import journal
from nova_numa_migrate.compute import halves
from nova_numa_migrate.compute import under_way
from nova_numa_migrate.compute import way_home
from tests.unit.compute import halves_base
from tests.unit.compute import moves


@ddt.ddt
class TakeUpAtTheDestinationTestCase(halves_base.HalvesTestCase):
    @ddt.data(*move.State)
    def test_the_first_half(self, state):
        self.remember(state)
        with self.assertLogs(halves.LOG.logger, 'WARNING'):
            self.take_up()
        self.first.assert_called_once_with(*self.arguments)

    def test_a_message_may_be_on_its_way(self):
        self.take_up(patience=80)
        self.first.assert_not_called()
        self.take_up(patience=60)
        self.first.assert_called_once()

    def test_not_while_this_service_is_at_it(self):
        with under_way.once(
            'revert',
            self.context,
            self.instance,
            self.migration,
            halves_base.REVERTING,
        ):
            self.take_up()
        self.first.assert_not_called()
        self.take_up()
        self.first.assert_called_once()

    def test_a_failure_stops_no_other(self):
        self.patch(halves, '_take_up', side_effect=moves.Failure)
        with self.assertLogs(halves.LOG.logger, 'ERROR'):
            self.take_up()

    def died_in_a_save(self, state=move.State.RESTORED):
        self.remember(state)
        self.driver.checkpoints.journal.return_value = journal.Journal(
            uuids.migration, journal.Step.SAVED
        )
        self.driver.instance_exists.return_value = True
        self.driver.is_gone.return_value = False
        self.take_up()

    def test_one_that_was_not_sent_stays(self):
        self.died_in_a_save()
        self.driver.stay.assert_called_once_with(
            self.instance, moves.a_move(move.State.RESTORED)
        )
        self.first.assert_not_called()
        self.assertEqual((vm_states.RESIZED, None, 'finished'), self.state())

    def test_one_that_was_sent_goes(self):
        self.died_in_a_save(move.State.HOMEWARD)
        self.driver.stay.assert_not_called()
        self.first.assert_called_once_with(*self.arguments)


@ddt.ddt
class TakeUpAtTheSourceTestCase(halves_base.HalvesTestCase):
    HOST = 'src'

    def setUp(self):
        super().setUp()
        self.call_off = self.patch(way_home, 'call_off')

    @ddt.data('reverting', 'reverted', 'error')
    def test_the_second_half(self, status):
        """A journal of this host's own is no save that was broken off."""
        self.migration.status = status
        self.driver.checkpoints.journal.return_value = mock.sentinel.own
        self.take_up()
        self.second.assert_called_once_with(*self.arguments)
        self.driver.stay.assert_not_called()
        revert_called = self.first.called or self.call_off.called
        self.assertFalse(revert_called)

    def test_the_destination_is_told_that_nobody_comes(self):
        self.remember(move.State.RETURNING)
        self.take_up()
        self.second.assert_called_once_with(*self.arguments)
        self.call_off.assert_called_once_with(
            self.manager, self.context, self.instance, self.migration
        )

    @ddt.data(
        ('reverting', 'first'), ('error', 'first'), ('reverted', 'second')
    )
    @ddt.unpack
    def test_where_the_source_is_the_destination(self, status, half):
        self.remember(in_place=True)
        self.migration.dest_compute = 'src'
        self.migration.status = status
        self.take_up()
        getattr(self, half).assert_called_once_with(*self.arguments)
        self.assertEqual(1, self.first.call_count + self.second.call_count)
