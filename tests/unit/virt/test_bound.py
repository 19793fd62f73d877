# SPDX-License-Identifier: Apache-2.0
"""What Nova's description of a bare guest gets, and what leaves with it."""

from unittest import mock

import ddt
import fixtures
from lxml import etree
from nova import objects
from nova import test
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.virt.libvirt import config
from nova.virt.libvirt import driver as libvirt_driver
from nova.virt.libvirt import guest as libvirt_guest
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import binding
from nova_numa_migrate import hint
from nova_numa_migrate import move
from nova_numa_migrate.virt import bound
from tests.unit import topologies

CONTEXT = mock.sentinel.context
# Of one that is not bound: CPUs of all vCPUs, of each, policy of the memory.
NOVAS: tuple[str, list[str], list[str]] = ('2,5,8,11', [], [])


class Driver(bound.BoundGuestsMixin, libvirt_driver.LibvirtDriver):
    """Nova's driver with the room that is looked at."""


class BoundTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.flags(host='compute1')
        self.replace('__init__', lambda *_: None)
        self.driver = Driver(None)
        self.instance = objects.Instance(
            uuid=uuids.instance,
            host='compute1',
            numa_topology=None,
            system_metadata={},
        )

    def replace(self, name, function):
        """A method of Nova's, from now on."""
        self.useFixture(
            fixtures.MonkeyPatch(
                f'nova.virt.libvirt.driver.LibvirtDriver.{name}', function
            )
        )

    def bind(self, *nodes, host='compute1'):
        bound_to = binding.Binding(host, nodes)
        binding.place(self.instance.system_metadata, bound_to)

    def bound_on(self, host):
        return binding.Binding.of(self.instance.system_metadata, host)


@ddt.ddt
class ConfigTestCase(BoundTestCase):
    """On a host with one shared CPU a node: 2, 5, 8 and 11."""

    def setUp(self):
        super().setUp()
        self.host = topologies.host()
        self.replace('_get_host_numa_topology', lambda _: self.host)
        self.guest = config.LibvirtConfigGuest()
        self.guest.virt_type = 'kvm'
        self.guest.name, self.guest.memory, self.guest.vcpus = 'g', 4096, 2
        self.guest.cpuset = {2, 5, 8, 11}
        self.replace('_get_guest_config', self.novas)

    def novas(self, _, instance, *args, **kwargs):
        self.assertIs(self.instance, instance)
        self.assertEqual(
            (('net', 'image'), {'context': CONTEXT}), (args, kwargs)
        )
        return self.guest

    def described(self):
        """CPUs of all vCPUs, of each one, and the memory's policy."""
        guest = self.driver._get_guest_config(
            self.instance, 'net', 'image', context=CONTEXT
        )
        self.assertIs(self.guest, guest)
        tree = etree.fromstring(guest.to_xml())
        return (
            tree.find('vcpu').get('cpuset'),
            [dict(pin.attrib) for pin in tree.iterfind('cputune/vcpupin')],
            [dict(one.attrib) for one in tree.iterfind('numatune/*')],
        )

    def test_nothing_is_said_of_one_that_is_not_bound(self):
        self.assertEqual(NOVAS, self.described())

    def test_one_node(self):
        self.bind(1)
        self.assertEqual(
            (
                '5',
                [{'vcpu': '0', 'cpuset': '5'}, {'vcpu': '1', 'cpuset': '5'}],
                [{'mode': 'strict', 'nodeset': '1'}],
            ),
            self.described(),
        )

    def test_two_nodes_in_their_order(self):
        self.bind(3, 1)
        self.assertEqual(
            (
                '5,11',
                [{'vcpu': '0', 'cpuset': '11'}, {'vcpu': '1', 'cpuset': '5'}],
                [{'mode': 'interleave', 'nodeset': '1,3'}],
            ),
            self.described(),
        )

    def test_quotas_stay(self):
        self.guest.cputune = config.LibvirtConfigGuestCPUTune()
        self.guest.cputune.shares = 2048
        self.bind(1)
        _, pins, _ = self.described()
        self.assertEqual(2, len(pins))
        xml = etree.fromstring(self.guest.to_xml())
        self.assertEqual('2048', xml.findtext('cputune/shares'))

    def test_another_host_s_nodes_mean_nothing_here(self):
        self.bind(1, host='compute2')
        self.assertEqual(NOVAS, self.described())

    def test_one_that_was_resized_to_a_topology_has_nova_s(self):
        self.bind(1)
        self.instance.numa_topology = topologies.guest(1)
        self.assertEqual(NOVAS, self.described())

    @ddt.data((7,), (1, 7), (3, 0), (0,))
    def test_a_node_that_went_since(self, nodes):
        self.host.cells[0].cpuset = set()
        self.bind(*nodes)
        with self.assertLogs(bound.LOG.logger, 'WARNING') as log:
            self.assertEqual(NOVAS, self.described())
        self.assertIn('shared CPUs on [1, 2, 3]', log.output[0])

    def test_a_host_that_says_nothing_of_its_nodes(self):
        self.host = None
        self.bind(1)
        with self.assertLogs(bound.LOG.logger, 'WARNING'):
            self.assertEqual(NOVAS, self.described())

    def test_no_cpus_are_asked_of_a_node_that_has_only_memory(self):
        self.host.cells[0].cpuset = set()
        self.guest.vcpus = 1
        self.bind(3, 0)
        cpus, _, ((policy),) = self.described()
        self.assertEqual(('11', '0,3'), (cpus, policy['nodeset']))


class ArrivalTestCase(BoundTestCase):
    def setUp(self):
        super().setUp()
        self.instance.host = 'compute0'
        self.bind(2, host='compute0')
        patcher = mock.patch.object(objects.Instance, 'save', autospec=True)
        self.save = patcher.start()
        self.addCleanup(patcher.stop)
        self.migration = objects.Migration(uuid=uuids.migration)
        self.move = move.Move(
            uuids.migration,
            hint.NodeMap((3, 1)),
            hint.CheckpointMode.REQUIRED,
        )

    def test_with_a_hint(self):
        bound.arrive(self.instance, self.migration, self.move)
        self.save.assert_called_once_with()
        self.assertEqual(
            binding.Binding('compute1', (3, 1)), self.bound_on('compute1')
        )

    def test_without_one_it_is_dropped(self):
        bound.arrive(self.instance, self.migration, None)
        self.save.assert_called_once_with()
        self.assertIsNone(self.bound_on('compute0'))

    def test_it_comes_home(self):
        for by in (self.move, None):
            bound.arrive(self.instance, self.migration, by)
            self.save.reset_mock()
            bound.come_home(self.instance, self.migration)
            self.save.assert_called_once_with()
            self.assertEqual(
                binding.Binding('compute0', (2,)), self.bound_on('compute0')
            )

    def test_one_with_a_topology_is_never_bound(self):
        binding.place(self.instance.system_metadata, None)
        self.instance.numa_topology = topologies.guest(2)
        bound.arrive(self.instance, self.migration, self.move)
        bound.come_home(self.instance, self.migration)
        self.save.assert_not_called()
        self.assertEqual({}, self.instance.system_metadata)


class LiveMigrationTestCase(BoundTestCase):
    XML = (
        '<domain><vcpu cpuset="5">1</vcpu><cputune><vcpupin vcpu="0" '
        'cpuset="5"/></cputune><numatune><memory mode="strict" nodeset="1"/>'
        '</numatune></domain>'
    )

    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MockPatchObject(libvirt_guest, 'libvirt', fakelibvirt)
        )
        self.guest = libvirt_guest.Guest(
            mock.create_autospec(fakelibvirt.Domain, instance=True)
        )
        self.guest._domain.XMLDesc.return_value = self.XML
        self.sent = mock.Mock()
        self.replace(
            '_live_migration_operation', lambda _, *args: self.sent(*args)
        )

    def migrate(self):
        rest = ('dest', False, mock.sentinel.data)
        self.driver._live_migration_operation(
            CONTEXT, self.instance, *rest, self.guest, ['vda']
        )
        ((*before, guest, names), _) = self.sent.call_args
        self.assertEqual([CONTEXT, self.instance, *rest], before)
        self.assertEqual(['vda'], names)
        return guest

    def test_the_destination_gets_it_without_its_binding(self):
        self.bind(1)
        guest = self.migrate()
        self.assertIs(self.guest._domain, guest._domain)
        self.assertEqual(
            '<domain><vcpu>1</vcpu></domain>',
            guest.get_xml_desc(dump_migratable=True),
        )

    def test_any_other_leaves_as_nova_has_it(self):
        self.assertIs(self.guest, self.migrate())
        self.bind(1, host='compute0')
        self.assertIs(self.guest, self.migrate())

    def test_where_it_arrives_nothing_is_left_of_it(self):
        done = mock.Mock()
        self.replace(
            'post_live_migration_at_destination', lambda _, *args: done(*args)
        )
        self.bind(1, host='compute0')
        self.driver.post_live_migration_at_destination(
            CONTEXT, self.instance, 'net', True
        )
        done.assert_called_once_with(CONTEXT, self.instance, 'net', True)
        self.assertEqual({}, self.instance.system_metadata)
