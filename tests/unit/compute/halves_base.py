# SPDX-License-Identifier: Apache-2.0
"""A host that is at a half of a revert, for the tests of both."""

import datetime
from unittest import mock

from nova import objects
from nova.compute import manager as novas
from nova.compute import task_states
from nova.compute import vm_states
from oslo_utils import timeutils

from nova_numa_migrate import move
from nova_numa_migrate.compute import halves
from nova_numa_migrate.compute import manager
from nova_numa_migrate.virt import driver
from tests.unit.compute import moves

REVERTING = task_states.RESIZE_REVERTING


class HalvesTestCase(moves.MovesTestCase):
    HOST = 'dst'

    def setUp(self):
        super().setUp()
        self.patch(novas.ComputeManager, '__init__', return_value=None)
        self.first = self.patch(novas.ComputeManager, 'revert_resize')
        self.second = self.patch(novas.ComputeManager, 'finish_revert_resize')
        self.manager = manager.NumaComputeManager.__new__(
            manager.NumaComputeManager
        )
        self.manager.host = self.HOST
        self.driver = mock.create_autospec(
            driver.NumaLibvirtDriver, instance=True
        )
        self.driver.checkpoints = mock.Mock(spec=['journal'])
        self.driver.checkpoints.journal.return_value = None
        self.driver.is_gone.return_value = True
        self.manager.driver = self.driver
        self.manager.rt = mock.Mock(spec=['arrived'])
        self.save_nothing()
        self.know_records()
        self.migration.source_compute = 'src'
        self.migration.dest_compute = 'dst'
        self.migration.status = 'reverting'
        self.instance = moves.an_instance(
            moves.a_move(move.State.RESTORED),
            host=self.HOST,
            vm_state=vm_states.RESIZED,
            task_state=REVERTING,
            flavor=objects.Flavor(),
            migration_context=objects.MigrationContext(),
            updated_at=timeutils.utcnow(with_timezone=True)
            - datetime.timedelta(seconds=70),
        )
        self.known = self.patch(objects.Instance, 'get_by_uuid')
        self.known.return_value = self.instance
        self.patch(
            objects.InstanceList,
            'get_by_filters',
            return_value=[self.instance],
        )
        self.arguments = (
            self.context,
            self.instance,
            self.migration,
            mock.sentinel.spec,
        )

    def fail(self, error):
        """As Nova's own method does, with what its decorators say then."""

        def fail(*_args):
            self.migration.status = 'error'
            self.instance.vm_state = vm_states.ERROR
            self.instance.task_state = None
            self.instance.old_flavor = self.instance.new_flavor = None
            raise error

        return fail

    def state(self):
        return (
            self.instance.vm_state,
            self.instance.task_state,
            self.migration.status,
        )

    def remember(self, state=move.State.RESTORED, **fields):
        moves.a_move(state, **fields).store(self.instance.system_metadata)

    def take_up(self, patience=0):
        halves.take_up(self.manager, self.context, ['flavor'], patience)
