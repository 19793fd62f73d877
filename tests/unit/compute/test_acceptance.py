# SPDX-License-Identifier: Apache-2.0
"""Which guests a destination has to be fit for a checkpoint for."""

from unittest import mock

import ddt
from nova import exception
from nova import objects
from nova.compute import vm_states
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import plan
from nova_numa_migrate import rpc
from nova_numa_migrate.compute import acceptance
from nova_numa_migrate.placement import hosts
from tests.unit import patching

REQUIRED, PREFERRED, NEVER = (
    hint.CheckpointMode.REQUIRED,
    hint.CheckpointMode.PREFERRED,
    hint.CheckpointMode.NEVER,
)


@ddt.ddt
class BeforeTheClaimTestCase(patching.PatchingTestCase):
    def setUp(self):
        super().setUp()
        self.peers = mock.create_autospec(rpc.NumaComputeAPI, instance=True)
        self.peers.list_blockers.return_value = []
        self.manager = mock.Mock(
            spec=['driver', 'host'],
            driver=mock.Mock(spec=['peers'], peers=self.peers),
            host='compute2',
        )
        self.instance = objects.Instance(
            uuid=uuids.instance,
            host='compute1',
            node='compute1',
            vm_state=vm_states.ACTIVE,
        )
        self.stats = {hosts.STATS_KEY: hosts.STATS_VALUE}
        self.source = self.patch(
            objects.ComputeNode,
            'get_by_host_and_nodename',
            side_effect=lambda *_: objects.ComputeNode(
                host='compute1', numa_topology=None, stats=self.stats
            ),
        )
        self.patch(acceptance, '_refusals', return_value=['no room'])

    def is_asked(self, mode):
        a_plan = plan.Plan(uuids.request, hint.NodeMap((1,)), mode)
        try:
            acceptance.before_the_claim(
                self.manager, 'context', self.instance, a_plan
            )
        except exception.ComputeResourcesUnavailable as error:
            self.assertIn('no room', error.format_message())
            self.peers.describe_guest.assert_called_once()
            return True
        self.peers.describe_guest.assert_not_called()
        return False

    @ddt.data((REQUIRED, True), (PREFERRED, True), (NEVER, False))
    @ddt.unpack
    def test_a_guest_that_can_be_saved(self, mode, asked):
        self.assertIs(asked, self.is_asked(mode))

    @ddt.data(REQUIRED, PREFERRED, NEVER)
    def test_a_stopped_one_has_no_state(self, mode):
        self.instance.vm_state = vm_states.STOPPED
        self.assertFalse(self.is_asked(mode))

    @ddt.data((REQUIRED, True), (PREFERRED, False))
    @ddt.unpack
    def test_one_with_a_blocker(self, mode, asked):
        self.peers.list_blockers.return_value = ['vTPM (tpm0)']
        self.assertIs(asked, self.is_asked(mode))

    @ddt.data((REQUIRED, True), (PREFERRED, False))
    @ddt.unpack
    def test_one_on_a_host_without_the_plugin(self, mode, asked):
        self.stats = {}
        self.assertIs(asked, self.is_asked(mode))
        self.peers.list_blockers.assert_not_called()

    def test_one_on_a_host_that_is_gone(self):
        self.source.side_effect = exception.ComputeHostNotFound(host='c')
        self.assertFalse(self.is_asked(PREFERRED))
