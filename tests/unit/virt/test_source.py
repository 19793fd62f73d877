# SPDX-License-Identifier: Apache-2.0
"""A guest leaves: the order of its steps."""

import dataclasses
import re
import threading
from unittest import mock

from nova import objects
from nova.virt.libvirt import utils as libvirt_utils
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate import privsep
from nova_numa_migrate.checkpoint import digest
from nova_numa_migrate.checkpoint import journal
from tests.unit.guest_xml import golden
from tests.unit.virt import departure_base

Step = journal.Step


class OrderTestCase(departure_base.DepartureTestCase):
    def test_a_save_that_takes_too_long_is_given_up(self):
        self.flags(checkpoint_timeout=1, group='numa_migrate')
        aborted = threading.Event()
        self.guest._domain.abortJob = aborted.set

        def save(*_):
            self.assertTrue(aborted.wait(60))
            raise departure_base.Failure('operation aborted')

        self.guest._domain.saveFlags = save
        text = self.rolled_back()
        self.assertIn('checkpoint_timeout, 1 s', text)
        self.driver.bring_back.assert_not_called()

    def test_everything_goes_well(self):
        self.assertEqual('disks', self.run_())
        self.assertEqual(
            [
                ('before', None),
                ('check', None),
                ('save', 'saving'),
                ('take', 'saving'),
                # It is on its way while the disk here takes it, too.
                ('send', mock.ANY),
                ('copy', 'saved'),
                ('swap', 'saved'),
            ],
            self.calls,
        )
        self.whole.assert_called_once_with(self.driver, self.instance)
        self.leftover.assert_called_once_with(self.instance)
        self.swap.assert_called_once_with(
            self.driver, self.instance, departure_base.DEST
        )
        self.assertEqual(
            journal.Journal(
                uuids.migration, Step.SENT, digest.of_file(self.image)
            ),
            self.driver.checkpoints.journal(uuids.instance),
        )
        stored = move.Move.of(self.instance.system_metadata)
        self.assertEqual(
            self.a_move()
            .left('disks')
            .saved(stored.digest, stored.disks, departure_base.HOME),
            stored,
        )
        self.assertEqual(digest.of_file(self.image), stored.digest)
        self.driver.transport.send.assert_called_once_with(
            self.image, departure_base.DEST
        )
        privsep.take_over.assert_called_once_with(str(self.image), 42, 43)

    def test_it_is_on_the_disk_before_the_journal_says_so(self):
        synced = []

        def sync(path):
            synced.append(
                (path, self.driver.checkpoints.journal(uuids.instance).step)
            )

        with mock.patch.object(
            journal, 'sync', autospec=True, side_effect=sync
        ):
            self.run_()
        self.assertIn((self.image, Step.SAVING), synced)

    def test_a_disk_that_does_not_take_it_sends_the_guest_back(self):
        def sync(path):
            if path == self.image:
                raise OSError(5, 'Input/output error')

        with mock.patch.object(
            journal, 'sync', autospec=True, side_effect=sync
        ):
            self.assertIn('Input/output error', self.rolled_back())
        self.driver.bring_back.assert_called_once()

    def test_the_events_that_operators_see(self):
        self.run_()
        started = objects.InstanceActionEvent.event_start.call_args_list
        self.assertEqual(
            [
                'numa_migrate_check',
                'numa_migrate_checkpoint',
                'numa_migrate_transfer',
            ],
            [call.args[2] for call in started],
        )


class InPlaceTestCase(departure_base.DepartureTestCase):
    """A guest that changes its nodes and stays on its host."""

    def setUp(self):
        super().setUp()
        self.driver.get_host_ip_addr.return_value = departure_base.DEST

    def a_move(self, *args):
        return dataclasses.replace(super().a_move(*args), in_place=True)

    def test_nothing_is_sent(self):
        self.assertEqual('disks', self.run_())
        # Before anything else is done with the guest, the file is kept.
        self.assertEqual(
            [
                ('before', None),
                ('check', None),
                ('save', 'saving'),
                ('take', 'saving'),
                ('copy', 'saved'),
            ],
            self.calls,
        )
        self.assertEqual(
            Step.SENT, self.driver.checkpoints.journal(uuids.instance).step
        )
        stored = move.Move.of(self.instance.system_metadata)
        self.assertEqual(
            self.a_move()
            .left('disks')
            .saved('', move.Disks.SHARED, departure_base.DEST),
            stored,
        )
        self.whole.assert_not_called()

    def test_nothing_is_withdrawn(self):
        self.failing = {'copy'}
        self.rolled_back()
        self.assertIn('revert', self.names())
        self.assertNotIn('withdraw', self.names())
        self.assertEqual([], list(self.root.iterdir()))


class DisksTestCase(departure_base.DepartureTestCase):
    def disks(self):
        self.run_()
        return move.Move.of(self.instance.system_metadata).disks

    def test_files_are_there_at_a_revert(self):
        xml = golden.guest('two-cells').saved
        (path,) = set(re.findall("file='(.*)/disk'", xml))
        self.patch(libvirt_utils, 'get_instance_path', return_value=path)
        self.assertIs(move.Disks.KEPT, self.disks())

    def test_those_elsewhere_are_not(self):
        self.assertIs(move.Disks.SHARED, self.disks())
