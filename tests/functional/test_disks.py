# SPDX-License-Identifier: Apache-2.0
"""A guest that goes on finds on its disks what it left there."""

from __future__ import annotations

import pathlib

import ddt
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.virt.libvirt import utils as libvirt_utils

from tests.functional import base
from tests.functional import fake_disks
from tests.functional import fake_hosts
from tests.functional import libvirt_xml


class DisksTestCase(base.NumaMigrateTestCase):
    def disks(self, server):
        """The files of its disks, by name, where Nova says that it is."""
        with self.hosts.hosts[self.host_of(server)].entered():
            directory = libvirt_utils.get_instance_path(self.instance(server))
        return {path.name: path for path in pathlib.Path(directory).iterdir()}

    def contents(self, server):
        return {
            name: fake_disks.content(path)
            for name, path in self.disks(server).items()
        }


@ddt.ddt
class CarriedTest(DisksTestCase):
    CAST_AS_CALL = False

    @ddt.data('qcow2', 'raw')
    def test_each_disk_as_it_was(self, images_type):
        self.flags(group='libvirt', images_type=images_type)
        self.flags(force_config_drive=True)
        server = self.boot(cells=2, ephemeral=1, swap=1)
        for path in self.disks(server).values():
            fake_disks.append(path, ', written to')
        before = self.contents(server)
        self.assertEqual(
            {'disk', 'disk.config', 'disk.eph0', 'disk.swap'}, set(before)
        )
        with self.assert_goes_on(server):
            self.hinted_migrate(server, [3, 2])
            self.assertEqual(before, self.contents(server))
            self.confirm(server)
        self.assertEqual(before, self.contents(server))

    def test_a_disk_that_cannot_be_made_whole(self):
        server = self.boot(cells=2, ephemeral=1)
        before = self.contents(server)
        # libvirt takes the job on, and it fails later.
        self.stub_out(
            'tests.functional.fake_libvirt.Domain.blockRebase',
            lambda *args, **kwargs: 0,
        )
        with self.assert_goes_on(server):
            self.post_migrate(server, [3, 2])
            self.wait_for_failure(server)
        self.assertEqual(before, self.contents(server))

    def test_the_swap_disk_does_not_arrive(self):
        server = self.boot(cells=2, swap=1)
        before = self.contents(server)
        copy_file = fake_hosts.RemoteDirectories.copy_file

        def copy(remote, src, dst, *args, **kwargs):
            if dst.endswith('disk.swap'):
                raise fakelibvirt.libvirtError('connection lost')
            copy_file(remote, src, dst, *args, **kwargs)

        self.stub_out(
            'tests.functional.fake_hosts.RemoteDirectories.copy_file', copy
        )
        with self.assert_goes_on(server):
            self.post_migrate(server, [3, 2])
            self.wait_for_failure(server)
        self.assertEqual(before, self.contents(server))
        self.assertEqual(
            {'compute1': [], 'compute2': []}, self.checkpoint_files()
        )
        copied = self.hosts.hosts['compute2'].instances / server['id']
        self.assertFalse(copied.exists())

    def test_an_lvm_disk_is_named_before_the_stop(self):
        server = self.boot(cells=2)
        self.guest(server)._def['devices']['disks'].append(
            fakelibvirt._parse_disk_info(
                libvirt_xml.element(
                    '<disk type="block"><driver name="qemu" type="raw"/>'
                    '<source dev="/dev/nova/u_disk.eph0"/><target dev="vdb" '
                    'bus="virtio"/><alias name="virtio-disk1"/></disk>'
                )
            )
        )
        with self.assert_goes_on(server):
            self.post_migrate(server, [3, 2])
            self.wait_for_failure(server)
        (failed,) = (
            event['details']
            for event in self.actions_of(server)
            if event['event'] == 'compute_resize_instance'
        )
        self.assertIn('LVM disk (virtio-disk1)', failed)
