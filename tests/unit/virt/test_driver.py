# SPDX-License-Identifier: Apache-2.0
"""Where Nova's driver is entered, and where it is not."""

import stat
from unittest import mock

import ddt
from nova import exception as nova_exception
from nova import test
from nova.compute import power_state
from nova.virt import hardware
from nova.virt.libvirt import driver as libvirt_driver

from nova_numa_migrate.virt import driver
from nova_numa_migrate.virt import guests
from nova_numa_migrate.virt import nova_transport
from tests import fake_nodes
from tests.unit.virt import driver_base

#: What the driver has of its own, and Nova calls nowhere.
OWN = ('peers', 'bring_back', '_bring_back', '_restoring')


class StartTestCase(driver_base.DriverTestCase):
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


class CapabilityTestCase(driver_base.DriverTestCase):
    def test_a_plan_may_stay_on_the_host(self):
        capability = 'supports_migrate_to_same_host'
        self.assertIs(True, self.driver.capabilities[capability])


@ddt.ddt
class IsGoneTestCase(driver_base.DriverTestCase):
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


class WarmUpTestCase(driver_base.DriverTestCase):
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
            self.warm_up(side_effect=driver_base.Failure('gone'))
        self.assertIn('Image base could not be fetched', log.output[0])


class SignaturesTestCase(test.NoDBTestCase):
    def test_nova_has_what_is_entered(self):
        for name in vars(driver.NumaLibvirtDriver):
            if name.startswith('__') or name in OWN:
                continue
            self.assertTrue(hasattr(libvirt_driver.LibvirtDriver, name), name)
