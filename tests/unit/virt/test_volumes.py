# SPDX-License-Identifier: Apache-2.0
"""Volumes that are attached or detached before a revert."""

import ddt
from nova import exception
from nova import objects
from nova.compute import task_states

from nova_numa_migrate import move
from nova_numa_migrate.virt import outbound
from tests.unit.virt import driver_base

KINDS = 'attach_volume', 'detach_volume'


@ddt.ddt
class VolumesTestCase(driver_base.DriverTestCase):
    def setUp(self):
        super().setUp()
        self.withdraw = self.patch(outbound, 'withdraw')
        for name in KINDS:
            self.replace(name, self.noting(name, self.see))
        self.tasks = iter((None, None))
        self.patch(
            objects.Instance,
            'get_by_uuid',
            side_effect=lambda *_: objects.Instance(
                task_state=next(self.tasks)
            ),
        )

    def see(self):
        self.seen = move.Move.of(self.instance.system_metadata)
        # As long as it may fail.
        self.withdraw.assert_not_called()

    def change(self, kind):
        arguments = self.context, {'data': {}}, self.instance, '/dev/vdb'
        getattr(self.driver, kind)(*arguments, encryption=None)
        self.assertEqual([(kind, *arguments)], self.calls)

    @ddt.data(*KINDS)
    def test_the_guest_will_go_home_as_it_is(self, kind):
        self.remember(move.State.RESTORED)
        self.change(kind)
        self.assertIs(move.Disks.MIXED, self.seen.disks)
        self.assertIs(move.State.RESTORED, self.seen.state)
        self.saves.assert_called_once_with()
        self.withdraw.assert_called_once_with(
            self.driver, self.instance, driver_base.HOME
        )

    @ddt.data(*KINDS)
    def test_a_revert_has_begun(self, kind):
        self.remember(move.State.RESTORED)
        self.tasks = iter([task_states.RESIZE_REVERTING])
        self.assertRaises(exception.NovaException, self.change, kind)
        self.assertEqual([], self.calls)
        self.saves.assert_not_called()
        self.withdraw.assert_not_called()

    @ddt.data(*KINDS)
    def test_a_revert_begins_meanwhile(self, kind):
        self.remember(move.State.RESTORED)
        self.tasks = iter([None, task_states.RESIZE_REVERTING])
        self.change(kind)
        self.withdraw.assert_not_called()

    @ddt.data(
        (move.State.RESTORED, move.Disks.SHARED),
        (move.State.NONE, move.Disks.KEPT),
        (move.State.HOMEWARD, move.Disks.KEPT),
    )
    @ddt.unpack
    def test_it_changes_nothing_for_others(self, state, disks):
        self.remember(state, at_a_revert=disks)
        self.change('attach_volume')
        self.assertIs(disks, self.seen.disks)
        self.saves.assert_not_called()
        self.withdraw.assert_not_called()

    @ddt.data(*KINDS)
    def test_it_changes_nothing_without_a_move(self, kind):
        self.change(kind)
        self.saves.assert_not_called()
