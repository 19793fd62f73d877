# SPDX-License-Identifier: Apache-2.0
"""Guests whose state no checkpoint holds are not migrated with a hint."""

import ddt
from nova import objects
from oslo_utils.fixture import uuidsentinel as uuids
from webob import exc

from tests.unit.api import migrate_base


@ddt.ddt
class BlockersTestCase(migrate_base.MigrateTestCase):
    def conflict(self):
        return self.refused(exc.HTTPConflict)

    def test_every_one_is_named_at_once(self):
        self.instance.pci_requests.requests = [
            objects.InstancePCIRequest(
                alias_name='gpu', requester_id=None, request_id=None
            ),
            objects.InstancePCIRequest(
                alias_name=None, requester_id=uuids.port, request_id=None
            ),
        ]
        self.instance.flavor.extra_specs = {
            'hw:tpm_version': '2.0',
            'hw:mem_encryption': 'True',
            'resources:VGPU': '1',
        }
        self.shared.return_value = True
        self.nodes[0] = migrate_base.node('compute1', stats={})
        text = self.conflict()
        for name in (
            'PCI device or SR-IOV port (gpu)',
            f'PCI device or SR-IOV port ({uuids.port})',
            'vTPM',
            'encrypted memory',
            'mediated device (vGPU)',
            'virtiofs share',
            'its host compute1 runs no nova-numa-compute',
            'numa_checkpoint=preferred',
        ):
            self.assertIn(name, text)

    @ddt.data(('bios', False), ('uefi', False), ('uefi', True))
    @ddt.unpack
    def test_a_store_of_firmware_variables(self, firmware, is_stateless):
        self.instance.system_metadata = {
            'image_hw_firmware_type': firmware,
            'image_hw_firmware_stateless': str(is_stateless),
        }
        if firmware == 'uefi' and not is_stateless:
            self.assertIn('UEFI variable store (NVRAM)', self.conflict())
        else:
            self.migrate()
            self.stock.assert_called_once()

    @ddt.data('resources:VGPU', 'resources1:VGPU', 'resources_GPU:VGPU')
    def test_a_vgpu_in_any_group(self, spec):
        self.instance.flavor.extra_specs = {spec: '1'}
        self.assertIn('mediated device (vGPU)', self.conflict())

    @ddt.data('resources:VCPU', 'trait:VGPU', 'hw:VGPU')
    def test_what_looks_like_a_vgpu(self, spec):
        self.instance.flavor.extra_specs = {spec: '1'}
        self.migrate()
        self.stock.assert_called_once()

    @ddt.data('preferred', 'never')
    def test_only_where_a_checkpoint_is_required(self, mode):
        self.shared.return_value = True
        self.migrate({'numa_node': '3,2', 'numa_checkpoint': mode})
        self.stock.assert_called_once()

    def test_a_source_that_is_gone_runs_no_plugin(self):
        self.nodes = [migrate_base.node('compute2')]
        self.assertIn('compute1 runs no nova-numa-compute', self.conflict())
