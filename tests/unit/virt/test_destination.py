# SPDX-License-Identifier: Apache-2.0
"""A guest goes on from its checkpoint, libvirt's part being faked."""

import pathlib
import threading
import types
from unittest import mock

import ddt
import fixtures
from nova import context
from nova import exception
from nova import objects
import nova.conf
from nova.virt.libvirt import guest as libvirt_guest
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import move
from nova_numa_migrate.checkpoint import digest as digests
from nova_numa_migrate.conf import numa_migrate
from nova_numa_migrate.guest_xml import remap
from nova_numa_migrate.placement import report
from nova_numa_migrate.virt import destination
from nova_numa_migrate.virt import pages
from tests import fake_nodes
from tests.unit import patching
from tests.unit import topologies
from tests.unit.guest_xml import golden

LIBVIRT = types.SimpleNamespace(
    VIR_DOMAIN_SAVE_IMAGE_XML_SECURE=1,
    VIR_DOMAIN_PAUSED=3,
    VIR_DOMAIN_SAVE_PAUSED=4,
)


class LibvirtError(Exception):
    """As libvirt's, which is not Nova's either."""


class DestinationTestCase(patching.PatchingTestCase):
    def setUp(self):
        super().setUp()
        self.context = context.RequestContext('user', 'project')
        self.instance = objects.Instance(
            uuid=uuids.instance,
            host='compute2',
            system_metadata={},
            old_flavor=None,
            new_flavor=None,
            flavor=objects.Flavor(),
            numa_topology=None,
        )
        for name in ('event_start', 'event_finish_with_failure'):
            self.patch(objects.InstanceActionEvent, name)


class RequireTestCase(DestinationTestCase):
    def test_a_file(self):
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        image = root / 'u.save'
        for there in (image, root):
            error = self.assertRaises(
                exception.MigrationError,
                destination.require,
                there if there is root else image,
            )
            self.assertIn(str(there), str(error))
        image.touch()
        destination.require(image)


class RestoreTestCase(DestinationTestCase):
    def setUp(self):
        super().setUp()
        numa_migrate.register_opts(nova.conf.CONF)
        self.guest = golden.guest('two-cells')
        self.useFixture(
            fixtures.MockPatchObject(libvirt_guest, 'libvirt', LIBVIRT)
        )
        self.calls = mock.Mock()
        self.connection = self.calls.connection
        self.connection.saveImageGetXMLDesc.return_value = self.guest.saved
        self.driver = types.SimpleNamespace(
            _host=types.SimpleNamespace(
                get_connection=lambda: self.connection
            ),
            cpu_api=self.calls.cpu_api,
            checkpoints=self.calls.checkpoints,
        )
        self.calls.checkpoints.is_spent.return_value = False
        self.create = self.patch(
            libvirt_guest.Guest,
            'create',
            side_effect=lambda *args: self.calls.create(*args),
        )
        self.made = self.calls.create.return_value
        self.made._domain.state.return_value = (LIBVIRT.VIR_DOMAIN_PAUSED, 0)
        self.xml = remap.remap(self.guest.saved, self.guest.fresh)

    def restore(self, pause=False, digest=''):
        return destination.restore(
            self.driver,
            self.context,
            self.instance,
            'numa_migrate_restore',
            pathlib.Path('/c/u.save'),
            digest,
            self.guest.fresh,
            pause,
            self.calls.prepare,
        )

    def test_the_order_and_what_each_is_given(self):
        result = self.restore()
        self.assertEqual(
            [
                mock.call.connection.saveImageGetXMLDesc('/c/u.save', 1),
                mock.call.create(self.xml, self.driver._host),
                mock.call.prepare(),
                mock.call.cpu_api.power_up_for_instance(self.instance),
                # Paused: nothing runs that may yet be given up.
                mock.call.connection.restoreFlags('/c/u.save', self.xml, 4),
                # From here on it may have run.
                mock.call.checkpoints.spend(self.instance.uuid),
                mock.call.create().resume(),
            ],
            self.calls.mock_calls,
        )
        self.assertIs(self.made, result)

    def test_a_node_without_the_memory_stops_it_before_anything(self):
        self.useFixture(fake_nodes.FakeNodesFixture()).set(2, 511)
        self.instance.numa_topology = topologies.guest(1)
        [cell] = self.instance.numa_topology.cells
        cell.id, cell.memory = 2, 512
        error = self.assertRaises(exception.MigrationError, self.restore)
        self.assertIn('node 2 has 511 MiB free now', str(error))
        self.assertEqual(
            [mock.call.connection.saveImageGetXMLDesc('/c/u.save', 1)],
            self.calls.mock_calls,
        )

    def test_a_damaged_checkpoint_stops_it_before_anything(self):
        require = self.patch(
            digests, 'require', side_effect=digests.Damaged('it is damaged')
        )
        error = self.assertRaises(
            exception.MigrationError, lambda: self.restore(digest='expected')
        )
        self.assertIn('it is damaged', str(error))
        require.assert_called_once_with(pathlib.Path('/c/u.save'), 'expected')
        self.assertEqual([], self.calls.mock_calls)

    def test_paused_where_nova_waits_for_the_ports(self):
        waiting = self.restore(pause=True)
        self.assertIs(self.made._domain, waiting._domain)
        self.made.resume.assert_not_called()
        # Where they do not become ready, it has not run.
        self.calls.checkpoints.spend.assert_not_called()
        self.calls.reset_mock()
        waiting.resume()
        self.assertEqual(
            [
                mock.call.checkpoints.spend(self.instance.uuid),
                mock.call.create().resume(),
            ],
            self.calls.mock_calls,
        )

    def test_one_that_waited_and_cannot_go_on_is_taken_away(self):
        waiting = self.restore(pause=True)
        self.calls.checkpoints.is_spent.return_value = True
        self.made.resume.side_effect = LibvirtError('no')
        self.assertRaises(exception.MigrationError, waiting.resume)
        self.made.poweroff.assert_called_once_with()
        self.calls.checkpoints.unspend.assert_called_once_with(
            self.instance.uuid
        )

    def test_one_that_might_run_unknown_is_taken_away(self):
        self.calls.checkpoints.spend.side_effect = OSError('no such disk')
        self.assertRaises(exception.MigrationError, self.restore)
        self.made.resume.assert_not_called()
        self.made.poweroff.assert_called_once_with()

    def test_a_refusal_is_told_in_novas_words(self):
        self.connection.restoreFlags.side_effect = LibvirtError(
            'NUMA node 7 is unavailable'
        )
        error = self.assertRaises(exception.MigrationError, self.restore)
        self.assertIn('NUMA node 7 is unavailable', str(error))

    def test_one_that_cannot_be_resumed_is_taken_away(self):
        self.calls.checkpoints.is_spent.return_value = True
        self.made.resume.side_effect = LibvirtError('no')
        self.assertRaises(exception.MigrationError, self.restore)
        self.made.poweroff.assert_called_once_with()
        # It has not run, and may go on from it elsewhere.
        self.calls.checkpoints.unspend.assert_called_once_with(
            self.instance.uuid
        )

    def test_but_not_one_that_runs(self):
        self.made.resume.side_effect = LibvirtError('connection lost')
        self.made._domain.state.return_value = (1, 0)
        self.assertRaises(exception.MigrationError, self.restore)
        self.made.poweroff.assert_not_called()
        self.calls.checkpoints.unspend.assert_not_called()

    def test_one_that_takes_too_long_is_taken_away_and_never_runs(self):
        self.flags(restore_timeout=1, group='numa_migrate')
        ended = threading.Event()
        self.made.poweroff.side_effect = ended.set

        def restore(*_):
            self.assertTrue(ended.wait(60))
            raise LibvirtError('domain is not running')

        self.connection.restoreFlags.side_effect = restore
        error = self.assertRaises(exception.MigrationError, self.restore)
        self.assertIn('restore_timeout, 1 s', str(error))
        self.made.resume.assert_not_called()

    def test_a_device_that_is_gone_stops_it_before_the_definition(self):
        self.guest = self.guest._replace(
            fresh=self.guest.fresh.replace('fa:16:3e:00:00:01', 'x')
        )
        error = self.assertRaises(exception.MigrationError, self.restore)
        self.assertIn('which Nova does not describe any more', str(error))
        self.calls.create.assert_not_called()


class OneFlavorTestCase(DestinationTestCase):
    def test_none_yet(self):
        with destination.one_flavor(self.instance):
            self.assertIs(self.instance.flavor, self.instance.old_flavor)
            self.assertIs(self.instance.flavor, self.instance.new_flavor)
        self.assertIsNone(self.instance.old_flavor)
        self.assertIsNone(self.instance.new_flavor)

    def test_those_that_are_there_stay(self):
        old = self.instance.old_flavor = objects.Flavor()
        with destination.one_flavor(self.instance):
            self.assertIs(old, self.instance.old_flavor)
            self.assertIsNone(self.instance.new_flavor)
        self.assertIs(old, self.instance.old_flavor)


@ddt.ddt
class VerifyTestCase(DestinationTestCase):
    def setUp(self):
        super().setUp()
        self.move = move.Move(
            uuids.migration,
            hint.NodeMap((3,)),
            hint.CheckpointMode.REQUIRED,
            move.State.SAVED,
        )

    def test_it_is_kept_with_the_instance(self):
        placement = report.CellPlacement(0, 3, {3: 5})
        measure = self.patch(pages, 'measure', return_value=[placement])
        destination.verify(self.context, self.instance, self.move)
        measure.assert_called_once_with(self.instance, (3,))
        self.assertEqual(
            placement,
            report.CellPlacement.of(self.instance.system_metadata, 0),
        )

    @ddt.data(FileNotFoundError('pid'), PermissionError('maps'))
    def test_what_cannot_be_measured_undoes_nothing(self, error):
        self.patch(pages, 'measure', side_effect=error)
        with self.assertLogs(destination.LOG.logger, 'WARNING') as log:
            destination.verify(self.context, self.instance, self.move)
        self.assertIn(str(error), log.output[0])
        self.assertEqual({}, self.instance.system_metadata)

    @ddt.data(
        ValueError('not a number'), KeyError('x'), RuntimeError('daemon')
    )
    def test_nor_does_any_other_trouble_with_it(self, error):
        self.patch(pages, 'measure', side_effect=error)
        destination.verify(self.context, self.instance, self.move)
        self.assertEqual({}, self.instance.system_metadata)
