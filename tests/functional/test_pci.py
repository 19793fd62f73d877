# SPDX-License-Identifier: Apache-2.0
"""A guest with a PCI device, which Placement has given it."""

from __future__ import annotations

import json

from nova.tests.fixtures import libvirt as fakelibvirt

from tests.functional import base

_DEVICE = {
    'vendor_id': fakelibvirt.PCI_VEND_ID,
    'product_id': fakelibvirt.PCI_PROD_ID,
}


class PciTest(base.NumaMigrateTestCase):
    ADDITIONAL_FILTERS = ['NumaMigrateFilter', 'PciPassthroughFilter']
    HOSTS = ()

    def setUp(self):
        self.flags(
            group='pci',
            device_spec=[json.dumps(_DEVICE)],
            alias=[json.dumps({**_DEVICE, 'name': 'a1'})],
            report_in_placement=True,
        )
        self.flags(group='filter_scheduler', pci_in_placement=True)
        super().setUp()
        for host in ('compute1', 'compute2'):
            self.start_compute(
                host,
                host_info=base.four_nodes(),
                pci_info=fakelibvirt.HostPCIDevicesInfo(
                    num_pci=1, numa_node=1
                ),
            )

    def test_a_device_of_its_host_is_not_asked_of_another(self):
        server = self._boot('compute1')
        for host in ('compute2', 'compute1'):
            self.assertEqual({host: []}, self._foretold(server))
            self.post_action(server, {'migrate': self._body()})
            self.wait_for(server, 'VERIFY_RESIZE')
            self.assertEqual(host, self.host_of(server))
            self.confirm(server)

    def test_a_device_that_another_guest_has(self):
        server, _ = self._boot('compute1'), self._boot('compute2')
        ((reason,),) = self._foretold(server).values()
        self.assertIn('those asked for are not free for nodes 1', reason)

    def _boot(self, host):
        specs = {'pci_passthrough:alias': 'a1:1'}
        return self.boot(cells=1, dedicated=False, host=host, specs=specs)

    def _body(self):
        hints = self.hints([1], numa_checkpoint='never')
        return {'host': None, 'os:scheduler_hints': hints}

    def _foretold(self, server):
        asked = {'os-numaMigratePlan': self._body()}
        plan = self.post_action(server, asked, 200).body['numa_migrate_plan']
        return {one['host']: one['reasons'] for one in plan['hosts']}
