# SPDX-License-Identifier: Apache-2.0
"""Volumes that a source had given up when its service died."""

from unittest import mock

import ddt
from nova import exception
from nova import objects
from nova.volume import cinder
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import move
from nova_numa_migrate.compute import attachments
from nova_numa_migrate.compute import manager
from tests.unit.compute import moves

EMPTY, FULL, OLD = uuids.empty, uuids.full, None


def a_block_device(attachment, kind='volume'):
    return objects.BlockDeviceMapping(
        destination_type=kind, attachment_id=attachment
    )


class AttachmentsTestCase(moves.MovesTestCase):
    def setUp(self):
        super().setUp()
        self.manager = mock.create_autospec(
            manager.NumaComputeManager, instance=True
        )
        self.manager.driver = mock.Mock(spec=['is_gone'])
        self.manager.volume_api = mock.create_autospec(
            cinder.API, instance=True
        )
        self.manager.volume_api.attachment_get.side_effect = self.cinder
        self.instance = moves.an_instance(moves.a_move())
        self.bdms = [
            a_block_device(uuids.disk, 'local'),
            a_block_device(OLD),
            a_block_device(FULL),
            a_block_device(EMPTY),
        ]
        self.patch(objects.Instance, 'get_bdms', return_value=self.bdms)
        self.update = self.manager._update_volume_attachments
        self.refresh = self.manager._get_instance_block_device_info
        self.complete = self.manager._complete_volume_attachments

    def cinder(self, _, attachment):
        return {'connection_info': {FULL: {'data': {}}, EMPTY: {}}[attachment]}

    def assert_filled(self):
        self.update.assert_called_once_with(
            self.context, self.instance, self.bdms[3:]
        )


class RenewTestCase(AttachmentsTestCase):
    def renew(self):
        attachments.renew(self.manager, self.context, self.instance)

    def test_empty_ones_are_filled_and_all_are_read_anew(self):
        self.refresh.side_effect = lambda *_, **__: self.assert_filled()
        self.renew()
        self.refresh.assert_called_once_with(
            self.context,
            self.instance,
            refresh_conn_info=True,
            bdms=self.bdms,
        )

    def test_one_that_runs_is_connected(self):
        self.manager.driver.is_gone.return_value = False
        self.renew()
        self.refresh.assert_not_called()

    def test_not_what_is_not_on_a_move(self):
        move.forget(self.instance.system_metadata)
        self.renew()
        self.refresh.assert_not_called()

    def test_without_an_answer_they_are_as_they_were(self):
        self.update.side_effect = exception.CinderConnectionFailed(reason='')
        with self.assertLogs(attachments.LOG.logger, 'ERROR'):
            self.renew()
        self.refresh.assert_not_called()

    def test_nor_does_libvirt_stop_it(self):
        self.manager.driver.is_gone.side_effect = moves.Failure
        with self.assertLogs(attachments.LOG.logger, 'ERROR'):
            self.renew()


@ddt.ddt
class CompleteTestCase(AttachmentsTestCase):
    def test_all_of_them(self):
        """One that was empty when the guest went on as well."""
        self.complete.side_effect = lambda *_: self.assert_filled()
        attachments.complete(self.manager, self.context, self.instance)
        self.complete.assert_called_once_with(self.context, self.bdms)

    @ddt.data('_update_volume_attachments', '_complete_volume_attachments')
    def test_a_failure_says_what_can_be_done(self, name):
        getattr(self.manager, name).side_effect = moves.Failure
        with self.assertLogs(attachments.LOG.logger, 'ERROR') as log:
            attachments.complete(self.manager, self.context, self.instance)
        self.assertIn('volume attachment complete', log.output[0])
