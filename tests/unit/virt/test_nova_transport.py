# SPDX-License-Identifier: Apache-2.0
"""The command that brings a checkpoint to a host."""

import pathlib
from unittest import mock

import ddt
from nova import exception
from nova import test
import nova.conf
from nova.virt.libvirt import utils as libvirt_utils
from oslo_concurrency import processutils

from nova_numa_migrate.conf import numa_migrate
from nova_numa_migrate.virt import nova_transport

IMAGE = pathlib.Path('/c/u.save')


@ddt.ddt
class SendTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        numa_migrate.register_opts(nova.conf.CONF)
        self.transport = nova_transport.NovaTransport()

    def send(self, **options):
        self.flags(group='numa_migrate', **options)
        with mock.patch.object(
            processutils, 'execute', autospec=True
        ) as execute:
            self.transport.send(IMAGE, '2001:db8::7')
        (call,) = execute.call_args_list
        return call.args

    def test_as_nova_copies_a_disk(self):
        self.assertEqual(
            ('scp', '-r', '/c/u.save', '[2001:db8::7]:/c/u.save'), self.send()
        )

    @ddt.data(
        ('ssh', ('scp', '-l', '81920')),
        ('rsync', ('rsync', '--sparse', '--bwlimit=10240')),
    )
    @ddt.unpack
    def test_ten_mebibytes_a_second(self, way, command):
        self.flags(group='libvirt', remote_filesystem_transport=way)
        self.assertEqual(
            (*command, '/c/u.save', '[2001:db8::7]:/c/u.save'),
            self.send(transfer_bandwidth_mib=10),
        )

    @ddt.data(0, 10)
    def test_a_copy_that_takes_too_long_is_ended(self, rate):
        self.flags(
            group='numa_migrate',
            transfer_timeout=1,
            transfer_bandwidth_mib=rate,
        )
        execute = processutils.execute

        def instead(*command, **how):
            return execute('sleep', '60', **how)

        with mock.patch.object(processutils, 'execute', instead):
            error = self.assertRaises(
                exception.MigrationError, self.transport.send, IMAGE, 'h'
            )
        self.assertIn('transfer_timeout, 1 s', str(error))

    def test_it_is_novas_copy(self):
        with mock.patch.object(
            libvirt_utils, 'copy_image', autospec=True
        ) as copy:
            self.transport.send(IMAGE, 'h')
        self.assertIs(False, copy.call_args.kwargs['compression'])
