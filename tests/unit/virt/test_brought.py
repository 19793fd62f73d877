# SPDX-License-Identifier: Apache-2.0
"""Disk files are brought home, and take the place of those that are there."""

import pathlib
from unittest import mock

import ddt
import fixtures
from nova import context
from nova import exception
from nova import objects
from nova import test
from nova.virt.libvirt import host as libvirt_host
from nova.virt.libvirt import utils as libvirt_utils
from nova.virt.libvirt.volume import remotefs
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import move
from nova_numa_migrate.virt import brought
from nova_numa_migrate.virt import driver

HOME = '10.1.0.11'


class BroughtTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.flags(instances_path=str(root))
        self.own = root / uuids.instance
        self.kept = root / f'{uuids.instance}_resize'
        self.instance = objects.Instance(
            uuid=uuids.instance, system_metadata={}
        )

    def a_move(self, state=move.State.RESTORED):
        return move.Move(
            uuids.migration,
            hint.NodeMap((3, 2)),
            hint.CheckpointMode.REQUIRED,
            state,
            disks=move.Disks.MIXED,
            home=HOME,
        )


@ddt.ddt
class BringTestCase(BroughtTestCase):
    def setUp(self):
        super().setUp()
        self.context = context.RequestContext('user', 'project')
        self.driver = mock.create_autospec(
            driver.NumaLibvirtDriver, instance=True
        )
        self.driver._host = mock.create_autospec(
            libvirt_host.Host, instance=True
        )
        xml = ''.join(
            f'<disk device="disk"><source file="{file}"/></disk>'
            for file in (self.own / 'disk', self.own / 'disk.swap', '/mnt/v')
        )
        self.driver._host.get_guest.return_value.get_xml_desc.return_value = (
            f'<domain><devices>{xml}</devices></domain>'
        )
        self.driver._remotefs = mock.create_autospec(
            remotefs.RemoteFilesystem, instance=True
        )
        self.driver.peers = mock.Mock(spec=['sync_brought'])
        self.copy = self.useFixture(
            fixtures.MockPatchObject(libvirt_utils, 'copy_image')
        ).mock
        self.useFixture(
            fixtures.MockPatchObject(
                objects.Migration,
                'get_by_uuid',
                return_value=objects.Migration(source_compute='compute1'),
            )
        )
        for name in ('event_start', 'event_finish_with_failure'):
            self.useFixture(
                fixtures.MockPatchObject(objects.InstanceActionEvent, name)
            )

    def bring(self):
        brought.bring(self.driver, self.context, self.instance, self.a_move())

    @ddt.data((False, HOME), (True, None))
    @ddt.unpack
    def test_the_files_of_the_instance_go_beside_those_kept(
        self, shared, host
    ):
        self.driver._is_path_shared_with.return_value = shared
        self.bring()
        self.assertEqual(
            [
                mock.call(
                    str(self.own / name),
                    str(self.kept / f'{name}.brought'),
                    host=host,
                )
                for name in ('disk', 'disk.swap')
            ],
            self.copy.mock_calls,
        )
        self.driver.peers.sync_brought.assert_called_once_with(
            self.context, 'compute1', self.instance, ['disk', 'disk.swap']
        )

    def test_one_does_not_arrive(self):
        self.copy.side_effect = [None, OSError('no space left')]
        error = self.assertRaises(exception.MigrationError, self.bring)
        self.assertIn('numa_migrate_transfer_disks', str(error))
        self.driver.peers.sync_brought.assert_not_called()

    def test_they_are_withdrawn_all_of_them(self):
        self.driver._remotefs.remove_file.side_effect = [OSError, None]
        brought.withdraw(self.driver, self.instance, self.a_move())
        self.assertEqual(
            [
                mock.call(HOME, str(self.kept / f'{name}.brought'))
                for name in ('disk', 'disk.swap')
            ],
            self.driver._remotefs.remove_file.mock_calls,
        )


class TakeTestCase(BroughtTestCase):
    def setUp(self):
        super().setUp()
        self.kept.mkdir()
        for name in ('disk', 'disk.swap', 'disk.config'):
            (self.kept / name).write_text('as it was')
        for name in ('disk', 'disk.swap'):
            (self.kept / f'{name}.brought').write_text('as it is')

    def take(self, state=move.State.HOMEWARD):
        self.a_move(state).store(self.instance.system_metadata)
        brought.take(self.instance)

    def contents(self):
        return {path.name: path.read_text() for path in self.kept.iterdir()}

    def test_each_takes_its_place(self):
        self.take()
        self.assertEqual(
            {
                'disk': 'as it is',
                'disk.swap': 'as it is',
                'disk.config': 'as it was',
            },
            self.contents(),
        )

    def test_it_was_cut_off(self):
        (self.kept / 'disk.brought').rename(self.kept / 'disk')
        self.test_each_takes_its_place()
        self.take()

    def test_nova_has_been_on_with_it(self):
        self.take()
        self.kept.rename(self.own)
        self.take()

    def test_a_revert_that_was_called_off_has_left_them(self):
        before = self.contents()
        self.take(move.State.RETURNING)
        self.assertEqual(before, self.contents())

    def test_they_are_synced(self):
        brought.sync(self.instance, ['disk', 'disk.swap'])
        self.assertRaises(
            FileNotFoundError, brought.sync, self.instance, ['disk.eph0']
        )
