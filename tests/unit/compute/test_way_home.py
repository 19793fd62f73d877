# SPDX-License-Identifier: Apache-2.0
"""Which guest goes home from the destination, and in which order."""

from unittest import mock

import ddt
from nova import context
from nova import objects
from nova import test
from nova.compute import task_states
from nova.compute import vm_states
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import move
from nova_numa_migrate.compute import way_home


class Failure(Exception):
    """Any part's failure."""


class WayHomeTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.instance = objects.Instance(
            uuid=uuids.instance,
            vm_state=vm_states.ACTIVE,
            task_state=task_states.RESIZE_FINISH,
            system_metadata={},
        )
        self.migration = objects.Migration(
            uuid=uuids.migration, source_compute='src', status='post-migrating'
        )

    def remember(self, state, migration=uuids.migration):
        move.Move(
            migration,
            hint.NodeMap((3, 2)),
            hint.CheckpointMode.REQUIRED,
            state,
            'digest',
        ).store(self.instance.system_metadata)


@ddt.ddt
class LeadsHomeTestCase(WayHomeTestCase):
    def leads_home(self, **is_gone):
        driver = mock.Mock(spec=['is_gone'])
        driver.is_gone.configure_mock(**is_gone)
        return way_home.leads_home(driver, self.instance, self.migration)

    def test_a_saved_guest_that_has_not_run_here(self):
        self.remember(move.State.SAVED)
        self.assertIs(True, self.leads_home(return_value=True))

    def test_not_one_that_runs(self):
        self.remember(move.State.SAVED)
        self.assertIs(False, self.leads_home(return_value=False))

    def test_not_one_that_may_run(self):
        self.remember(move.State.SAVED)
        with self.assertLogs(way_home.LOG.logger, 'ERROR') as log:
            self.assertIs(False, self.leads_home(side_effect=Failure('dead')))
        self.assertIn('dead', log.output[0])

    @ddt.data(*(set(move.State) - {move.State.SAVED}))
    def test_not_in_any_other_state(self, state):
        self.remember(state)
        self.assertIs(False, self.leads_home(return_value=True))

    def test_not_without_a_move(self):
        self.assertIs(False, self.leads_home(return_value=True))

    def test_not_by_what_an_earlier_migration_left(self):
        self.remember(move.State.SAVED, uuids.earlier)
        self.assertIs(False, self.leads_home(return_value=True))


class GoHomeTestCase(WayHomeTestCase):
    def setUp(self):
        super().setUp()
        self.remember(move.State.SAVED)
        self.saved = []
        for cls in (objects.Instance, objects.Migration):
            patcher = mock.patch.object(
                cls, 'save', lambda one: self.saved.append(type(one).__name__)
            )
            patcher.start()
            self.addCleanup(patcher.stop)
        for name in ('event_start', 'event_finish_with_failure'):
            patcher = mock.patch.object(
                objects.InstanceActionEvent, name, autospec=True
            )
            setattr(self, name, patcher.start())
            self.addCleanup(patcher.stop)
        self.manager = mock.Mock(
            spec=['driver', 'host', 'revert_resize'], host='dst'
        )
        self.discard = self.manager.driver.checkpoints.discard

    def go_home(self):
        way_home.go_home(
            self.manager,
            context.RequestContext('user', 'project'),
            self.instance,
            self.migration,
            mock.sentinel.request_spec,
        )

    def test_everything_is_written_down_before_the_revert(self):
        def revert(_context, instance, migration, request_spec):
            stored = move.Move.of(instance.system_metadata, migration.uuid)
            self.assertIs(move.State.RETURNING, stored.state)
            self.assertEqual('digest', stored.digest)
            self.assertEqual(
                (vm_states.RESIZED, task_states.RESIZE_REVERTING, 'reverting'),
                (instance.vm_state, instance.task_state, migration.status),
            )
            self.assertEqual(['Migration', 'Instance'], self.saved)
            self.assertIs(mock.sentinel.request_spec, request_spec)
            self.discard.assert_called_once_with(uuids.instance)

        self.manager.revert_resize.side_effect = revert
        self.go_home()
        self.manager.revert_resize.assert_called_once()
        self.assertEqual(way_home.EVENT, self.event_start.call_args.args[2])

    def test_a_failure_on_the_way_is_told(self):
        self.manager.revert_resize.side_effect = Failure
        self.assertRaises(Failure, self.go_home)
        finish = self.event_finish_with_failure.call_args
        self.assertIsInstance(finish.kwargs['exc_val'], Failure)
