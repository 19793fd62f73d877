# SPDX-License-Identifier: Apache-2.0
"""What a host lacks is found out while the guest runs on."""

from __future__ import annotations

import collections
import shutil
from unittest import mock

from lxml import etree
from nova.tests.fixtures import libvirt as fakelibvirt
import oslo_messaging as messaging

from nova_numa_migrate import rpc
from nova_numa_migrate.compute import acceptance
from nova_numa_migrate.compute import endpoint
from nova_numa_migrate.placement.report import CellPlacement
from tests.functional import failing

Usage = collections.namedtuple('Usage', 'total used free')


class AcceptanceTestCase(failing.FailingTestCase):
    def capabilities_without(self, host, path):
        """From now on libvirt of that host lacks what is at the path."""
        connection = self.connection(host)
        tree = etree.fromstring(connection.getCapabilities())
        for element in tree.xpath(path):
            element.getparent().remove(element)
        changed = etree.tostring(tree, encoding='unicode')
        patcher = mock.patch.object(
            connection, 'getCapabilities', autospec=True, return_value=changed
        )
        patcher.start()
        self.addCleanup(patcher.stop)

    def refuse(self, event, nodes=(3, 2)):
        """Ask for the move, which fails there; what the event tells."""
        with self.assert_goes_on(self.server):
            self.post_migrate(self.server, nodes)
            self.wait_for_failure(self.server)
        self.assert_as_before()
        return self.failed_events()[event]


class BeforeTheClaimTest(AcceptanceTestCase):
    def refused(self):
        return self.refuse('compute_prep_resize')

    def test_libvirt_has_lost_the_node(self):
        self.capabilities_without('compute2', 'host//cell[@id="2"]')
        self.assertIn(
            'Host compute2 cannot take the guest: libvirt knows no NUMA '
            'node 2 there',
            self.refused(),
        )

    def test_its_qemu_has_not_the_guest_s_machine_type(self):
        self.capabilities_without(
            'compute2', 'guest/arch[@name="x86_64"]//machine'
        )
        self.assertIn('no machine type', self.refused())

    def test_its_qemu_is_older(self):
        connection = self.connection('compute2')
        with mock.patch.object(
            connection, 'getVersion', autospec=True, return_value=1002003
        ):
            self.assertIn('its QEMU is 1.2.3, older than', self.refused())

    def test_its_cpu_is_another(self):
        # Emulated guests bring their own.
        self.flags(virt_type='kvm', group='libvirt')
        self.their_libvirt_says_no()
        self.their_cpu_is_another()
        self.assertIn("its CPU is not the guest's", self.refused())

    def test_one_kind_of_cpu_is_good_enough(self):
        self.flags(virt_type='kvm', group='libvirt')
        self.their_libvirt_says_no()
        self.post_migrate(self.server, [3, 2])
        self.wait_for(self.server, 'VERIFY_RESIZE')

    def test_the_operator_may_have_cpus_not_compared(self):
        self.flags(virt_type='kvm', group='libvirt')
        self.flags(skip_cpu_compare_on_dest=True, group='workarounds')
        self.their_libvirt_says_no()
        self.their_cpu_is_another()
        self.post_migrate(self.server, [3, 2])
        self.wait_for(self.server, 'VERIFY_RESIZE')

    def their_cpu_is_another(self):
        driver = self.computes['compute2'].driver
        other = {**driver._get_cpu_info(), 'model': 'another'}
        patcher = mock.patch.object(
            driver, '_get_cpu_info', autospec=True, return_value=other
        )
        patcher.start()
        self.addCleanup(patcher.stop)

    def their_libvirt_says_no(self):
        patcher = mock.patch.object(
            self.connection('compute2'),
            'compareHypervisorCPU',
            autospec=True,
            return_value=fakelibvirt.VIR_CPU_COMPARE_INCOMPATIBLE,
        )
        patcher.start()
        self.addCleanup(patcher.stop)

    def test_the_source_does_not_answer(self):
        with mock.patch.object(
            endpoint.NumaEndpoint,
            'describe_guest',
            autospec=True,
            side_effect=messaging.MessagingTimeout('60 s'),
        ):
            self.assertIn(
                'nova-numa-compute on host compute1 did not answer '
                'describe_guest',
                self.refused(),
            )


class AtTheSaveTest(AcceptanceTestCase):
    """What changed after the destination's claim."""

    def refused(self, change):
        at_the_save = acceptance.at_the_save

        def changed(*args):
            change()
            return at_the_save(*args)

        with mock.patch.object(acceptance, 'at_the_save', changed):
            return self.refuse('numa_migrate_check')

    def test_somebody_has_taken_the_memory(self):
        details = self.refused(lambda: self.nodes.set(2, 639))
        self.assertIn('Host compute2 cannot take the guest', details)
        self.assertIn('node 2 has 639 MiB free now', details)

    def test_libvirt_has_lost_the_node(self):
        self.assertIn(
            'libvirt knows no NUMA node 3 there',
            self.refused(
                lambda: self.capabilities_without(
                    'compute2', 'host//cell[@id="3"]'
                )
            ),
        )

    def test_the_destination_does_not_answer(self):
        def silence():
            raise messaging.MessagingTimeout('60 s')

        self.assertIn(
            'on host compute2 did not answer check_destination',
            self.refused(silence),
        )


class DiskTest(AcceptanceTestCase):
    """The checkpoint of this guest may take 1024 MiB."""

    def full(self, host):
        root = self.computes[host].driver.checkpoints.root
        disk_usage = shutil.disk_usage

        def usage(path):
            if path == root:
                return Usage(0, 0, 1023 * 1024 * 1024)
            return disk_usage(path)

        patcher = mock.patch.object(shutil, 'disk_usage', usage)
        patcher.start()
        self.addCleanup(patcher.stop)

    def test_the_destination_s_is_too_small(self):
        self.full('compute2')
        details = self.refuse('compute_prep_resize')
        self.assertIn('Host compute2 cannot take the guest', details)
        self.assertIn('1023 MiB free, the checkpoint may take 1024', details)

    def test_the_source_s_is_too_small(self):
        self.full('compute1')
        details = self.refuse('numa_migrate_check')
        self.assertIn('Host compute1 cannot take the guest', details)


class NextHostTest(AcceptanceTestCase):
    HOSTS = ('compute1', 'compute2', 'compute3')

    def test_the_next_host_is_tried(self):
        self.capabilities_without('compute2', 'host//cell[@id="2"]')
        for _ in range(2):
            with self.assert_goes_on(self.server):
                self.hinted_migrate(self.server, [3, 2])
            self.assertEqual('compute3', self.host_of(self.server))
            self.assert_on_nodes(self.server, [3, 2])
            self.revert(self.server)


class MeasureTest(AcceptanceTestCase):
    def test_the_host_of_the_guest_is_asked(self):
        found = rpc.NumaComputeAPI().measure_placement(
            self.ctxt, self.instance(self.server)
        )
        self.assertEqual([0, 1], [cell.node for cell in found])
        self.assertEqual([1.0, 1.0], [cell.share for cell in found])
        self.assertIsInstance(found[0], CellPlacement)
