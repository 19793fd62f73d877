# SPDX-License-Identifier: Apache-2.0
"""A guest's disks stay what they are, whatever Nova does to them."""

import pathlib
from unittest import mock

import ddt
import fixtures
from nova import exception
from nova import objects
from nova import test
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host
from nova.virt.libvirt import imagebackend
from nova.virt.libvirt import utils as libvirt_utils
from oslo_concurrency import processutils
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate.virt import disks
from nova_numa_migrate.virt import driver
from tests.unit.guest_xml import golden
from tests.unit.guest_xml import test_disks

DEST = '10.1.0.12'


class DisksTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.flags(instances_path=str(self.root))
        self.instance = objects.Instance(uuid=uuids.instance)
        self.driver = mock.create_autospec(
            driver.NumaLibvirtDriver, instance=True
        )
        self.driver._host = mock.create_autospec(
            libvirt_host.Host, instance=True
        )
        self.driver._is_path_shared_with.return_value = False


class RemoveLeftoverTestCase(DisksTestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.root / uuids.instance
        self.directory.mkdir()
        (self.directory / 'disk').touch()

    def test_what_an_earlier_migration_left_is_removed(self):
        leftover = self.root / f'{uuids.instance}_resize'
        leftover.mkdir()
        (leftover / 'disk').touch()
        with self.assertLogs(disks.LOG.logger, 'WARNING') as log:
            disks.remove_leftover(self.instance)
        self.assertIn(str(leftover), log.output[0])
        self.assertFalse(leftover.exists())
        self.assertTrue((self.directory / 'disk').exists())

    def test_nothing_is_left_as_a_rule(self):
        disks.remove_leftover(self.instance)
        self.assertEqual([self.directory], list(self.root.iterdir()))


class KeepAsItIsTestCase(DisksTestCase):
    def setUp(self):
        super().setUp()
        self.driver.image_backend = mock.create_autospec(
            imagebackend.Backend, instance=True
        )
        self.disk = mock.create_autospec(imagebackend.Image, instance=True)
        self.driver.image_backend.by_name.return_value = self.disk
        self.flags(images_type='rbd', group='libvirt')

    def test_files_have_none(self):
        """Nova would make their directory, on a disk that is full."""
        self.flags(images_type='qcow2', group='libvirt')
        disks.keep_as_it_is(self.driver, self.instance)
        self.driver.image_backend.by_name.assert_not_called()

    def test_the_snapshot_is_of_now(self):
        self.disk.exists.return_value = True
        disks.keep_as_it_is(self.driver, self.instance)
        self.driver.image_backend.by_name.assert_called_once_with(
            self.instance, 'disk'
        )
        self.assertEqual(
            [
                mock.call.exists(),
                mock.call.remove_snap('nova-resize', ignore_errors=True),
                mock.call.create_snap('nova-resize'),
            ],
            self.disk.mock_calls,
        )

    def test_a_guest_may_have_no_root_disk(self):
        self.disk.exists.return_value = False
        disks.keep_as_it_is(self.driver, self.instance)
        self.disk.create_snap.assert_not_called()


class MakeWholeTestCase(DisksTestCase):
    def setUp(self):
        super().setUp()
        self.guest = mock.create_autospec(libvirt_guest.Guest, instance=True)
        self.driver._host.get_guest.return_value = self.guest
        self.disk = mock.create_autospec(
            libvirt_guest.BlockDevice, instance=True
        )
        self.guest.get_block_device.return_value = self.disk
        self.sleep = self.useFixture(
            fixtures.MockPatch('tenacity.nap.time.sleep', autospec=True)
        ).mock

    def has(self, *descriptions):
        self.guest.get_xml_desc.side_effect = descriptions

    def test_nothing_to_do(self):
        self.has(*[golden.guest('two-cells').saved] * 2)
        disks.make_whole(self.driver, self.instance)
        self.guest.get_block_device.assert_not_called()

    def test_each_takes_its_base_in(self):
        self.has(
            test_disks.guest(vda='97d1', vdb='ephemeral_1_0', vdc='swap_1'),
            test_disks.guest(vda='97d1'),
        )
        self.disk.is_job_complete.side_effect = [False, False, True, True]
        disks.make_whole(self.driver, self.instance)
        self.assertEqual(
            [mock.call('vdb'), mock.call('vdc')],
            self.guest.get_block_device.call_args_list,
        )
        self.assertEqual([mock.call(None)] * 2, self.disk.rebase.mock_calls)
        self.assertEqual(2, self.sleep.call_count)

    def test_libvirt_gave_up(self):
        # A block job that failed is gone like one that has ended.
        self.has(*[test_disks.guest(vda='97d1', vdb='ephemeral_1_0')] * 2)
        self.disk.is_job_complete.return_value = True
        error = self.assertRaises(
            exception.MigrationError,
            disks.make_whole,
            self.driver,
            self.instance,
        )
        self.assertIn('disks vdb of server', str(error))


class BringSwapTestCase(DisksTestCase):
    def setUp(self):
        super().setUp()
        self.copy = self.useFixture(
            fixtures.MockPatchObject(
                libvirt_utils, 'copy_image', autospec=True
            )
        ).mock
        self.new = self.root / uuids.instance / 'disk.swap'
        self.old = self.root / f'{uuids.instance}_resize' / 'disk.swap'
        self.old.parent.mkdir()

    def bring(self):
        disks.bring_swap(self.driver, self.instance, DEST)

    def test_none(self):
        self.bring()
        self.copy.assert_not_called()

    def test_to_the_host(self):
        self.old.touch()
        self.bring()
        self.copy.assert_called_once_with(
            str(self.old), str(self.new), host=DEST
        )

    def test_beside_it_where_the_directory_is_shared(self):
        self.old.touch()
        self.driver._is_path_shared_with.return_value = True
        self.bring()
        self.copy.assert_called_once_with(
            str(self.old), str(self.new), host=None
        )
        self.driver._is_path_shared_with.assert_called_once_with(
            DEST, str(self.new.parent)
        )


class KeepWhatCameTestCase(DisksTestCase):
    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())

    def test_it_is_on_the_disk(self):
        path = self.root / uuids.instance
        path.mkdir()
        with mock.patch.object(
            processutils, 'execute', wraps=processutils.execute
        ) as execute:
            disks.keep_what_came(self.instance)
        execute.assert_called_once_with('sync', '--file-system', str(path))
        self.assertEqual('', self.log.output)

    def test_the_guest_runs_on_whatever_the_disk_says(self):
        disks.keep_what_came(self.instance)
        self.assertIn('No such file or directory', self.log.output)


@ddt.ddt
class ToConvertTestCase(DisksTestCase):
    @ddt.data('default', 'qcow2')
    def test_where_nova_takes_them_for_qcow2(self, images):
        self.flags(images_type=images, group='libvirt')
        self.assertEqual('[1]', disks.to_convert('[1]'))

    @ddt.data('raw', 'flat', 'rbd')
    def test_not_where_they_stay_raw(self, images):
        self.flags(images_type=images, group='libvirt')
        self.assertEqual('[]', disks.to_convert('[1]'))
