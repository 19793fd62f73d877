# SPDX-License-Identifier: Apache-2.0
"""A guest leaves without its state, or stays because of it."""

import ddt
from nova.compute import power_state
from nova.compute import vm_states

from nova_numa_migrate import hint
from nova_numa_migrate import move
from tests.unit.virt import departure_base

PCI = (
    '<domain><devices><hostdev type="pci"><alias name="hostdev0"/></hostdev>'
    '</devices></domain>'
)


@ddt.ddt
class WithoutStateTestCase(departure_base.DepartureTestCase):
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
