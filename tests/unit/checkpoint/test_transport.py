# SPDX-License-Identifier: Apache-2.0
"""How a transport is found."""

from unittest import mock

from stevedore import driver
from stevedore import exception
import testtools

from nova_numa_migrate.checkpoint import transport
from nova_numa_migrate.virt import nova_transport


class NoTransport:
    """Has the methods by name alone."""

    def send(self, image, host):
        pass

    def withdraw(self, image, host):
        pass


class LoadTestCase(testtools.TestCase):
    def test_novas(self):
        self.assertIsInstance(
            transport.load('nova'), nova_transport.NovaTransport
        )

    def test_an_unknown_name(self):
        error = self.assertRaises(
            exception.NoMatches, transport.load, 'pigeon'
        )
        self.assertIn('pigeon', str(error))

    def test_what_is_no_transport_is_refused_by_its_name(self):
        manager = mock.create_autospec(driver.DriverManager, instance=True)
        manager.driver = NoTransport()
        with mock.patch.object(
            driver, 'DriverManager', autospec=True, return_value=manager
        ) as found:
            error = self.assertRaises(TypeError, transport.load, 'odd')
        found.assert_called_once_with(
            transport.NAMESPACE, 'odd', invoke_on_load=True
        )
        self.assertIn('registered as "odd", is no Transport', str(error))

    def test_a_transport_has_to_send_and_to_withdraw(self):
        self.assertEqual(
            {'send', 'withdraw'}, transport.Transport.__abstractmethods__
        )
