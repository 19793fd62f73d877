# SPDX-License-Identifier: Apache-2.0
"""What the driver tells Placement, in Nova's own picture of its providers."""

import fixtures
from nova import test
from nova.compute import provider_tree
from nova.virt.libvirt import driver as libvirt_driver
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate.placement import traits
from nova_numa_migrate.virt import provider
from tests.unit import topologies

THEIRS = {'HW_CPU_X86_AVX', 'CUSTOM_GOLD'}


class Driver(provider.ProviderMixin, libvirt_driver.LibvirtDriver):
    """Without all that Nova's does when it is made."""

    def __init__(self, topology):
        self.topology = topology
        self.capabilities = {'supports_attach_interface': True}

    def _get_host_numa_topology(self):
        return self.topology


class ProviderTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.tree = provider_tree.ProviderTree()
        self.tree.new_root('compute1', uuids.compute1)
        self.tree.update_traits('compute1', THEIRS)
        self.asked = []
        self.useFixture(
            fixtures.MonkeyPatch(
                'nova.virt.libvirt.driver.LibvirtDriver.update_provider_tree',
                lambda _, *args, **kw: self.asked.append((args, kw)),
            )
        )

    def report(self, *nodes):
        cells = [topologies.host_cell(node) for node in nodes]
        topology = topologies.host(*cells) if cells else None
        Driver(topology).update_provider_tree(
            self.tree, 'compute1', allocations=None
        )
        return self.tree.data('compute1').traits

    def test_the_plugin_and_each_node(self):
        self.assertEqual(THEIRS | traits.of_host([0, 3]), self.report(0, 3))
        expected = ((self.tree, 'compute1'), {'allocations': None})
        self.assertEqual([expected], self.asked)

    def test_what_is_gone_is_taken_back_and_nothing_else(self):
        self.report(0, 1, 2, 3)
        self.assertEqual(THEIRS | traits.of_host([0, 1]), self.report(0, 1))
        self.assertEqual(THEIRS | traits.of_host([0, 4]), self.report(0, 4))

    def test_a_host_without_nodes(self):
        self.report(0, 1)
        self.assertEqual(THEIRS | {traits.CHECKPOINT}, self.report())

    def test_nothing_is_told_where_nova_tells_nothing(self):
        class NotNow(Exception):
            """As ReshapeNeeded."""

        def fail(*args, **kwargs):
            raise NotNow

        self.useFixture(
            fixtures.MonkeyPatch(
                'nova.virt.libvirt.driver.LibvirtDriver.update_provider_tree',
                fail,
            )
        )
        self.assertRaises(NotNow, self.report, 0)
        self.assertEqual(THEIRS, self.tree.data('compute1').traits)

    def test_a_plan_may_stay_and_no_other_migration_knows(self):
        self.assertEqual(
            {
                'COMPUTE_NET_ATTACH_INTERFACE': True,
                'COMPUTE_SAME_HOST_COLD_MIGRATE': False,
            },
            Driver(None).capabilities_as_traits(),
        )
