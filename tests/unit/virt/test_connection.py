# SPDX-License-Identifier: Apache-2.0
"""A daemon of libvirt's that dies does not hang the service."""

import threading
from unittest import mock

import fixtures
from nova import utils
from nova.tests.fixtures import libvirt
from nova.virt.libvirt import host

from nova_numa_migrate.virt import connection
from tests.unit import patching
from tests.unit.virt import driver_base


class Connection:
    """To a daemon that dies: whoever calls is the first to find out."""

    def __init__(self, closed):
        self.closed = closed

    def getLibVersion(self):
        self.closed(self, 'the daemon is gone', None)
        raise libvirt.make_libvirtError(
            libvirt.libvirtError,
            'Cannot recv data: Connection reset by peer',
            error_code=libvirt.VIR_ERR_SYSTEM_ERROR,
            error_domain=libvirt.VIR_FROM_RPC,
        )


class OutliveTestCase(patching.PatchingTestCase):
    def setUp(self):
        super().setUp()
        self.patch(utils, 'concurrency_mode_threading', return_value=True)
        # Nova imports it when its driver starts.
        self.useFixture(fixtures.MockPatchObject(host, 'libvirt', libvirt))
        self.host = host.Host('test:///default')
        self.host._wrapped_conn = Connection(self.host._close_callback)
        self.new = self.patch(
            host.Host, '_get_new_connection', return_value=mock.sentinel.new
        )

    def connect(self):
        """What a thread gets that asks for it; nothing where it stands."""
        got = []
        thread = threading.Thread(
            target=lambda: got.append(self.host.get_connection()), daemon=True
        )
        thread.start()
        thread.join(2)
        return got

    def test_the_thread_that_finds_out_goes_on(self):
        connection.outlive_the_daemon(self.host)
        self.assertEqual([mock.sentinel.new], self.connect())


class DriverTestCase(driver_base.DriverTestCase):
    def test_the_driver_sees_to_it(self):
        lock = self.driver._host._wrapped_conn_lock
        with lock, lock:
            pass
