# SPDX-License-Identifier: Apache-2.0
"""A bare guest without what binds it to its host's nodes."""

import ddt
from lxml import etree
import testtools

from nova_numa_migrate.guest_xml import unbound

_DOMAIN = """<domain type="kvm">
  <vcpu placement="static"{cpuset}>2</vcpu>
  {tuning}
  <devices><disk type="file"/></devices>
</domain>"""
PINS = '<vcpupin vcpu="0" cpuset="2"/><vcpupin vcpu="1" cpuset="5"/>'
SHARES = '<shares>2048</shares><quota>50000</quota>'
NUMATUNE = '<numatune><memory mode="interleave" nodeset="0-1"/></numatune>'


def domain(cpuset='', tuning=''):
    return _DOMAIN.format(cpuset=cpuset, tuning=tuning)


def canonical(xml):
    parser = etree.XMLParser(remove_blank_text=True)
    return etree.tostring(etree.fromstring(xml, parser), method='c14n')


@ddt.ddt
class UnboundTestCase(testtools.TestCase):
    @ddt.data(
        (f'<cputune>{PINS}</cputune>{NUMATUNE}', ''),
        (
            f'<cputune>{SHARES}{PINS}</cputune>{NUMATUNE}',
            f'<cputune>{SHARES}</cputune>',
        ),
        (NUMATUNE, ''),
    )
    @ddt.unpack
    def test_only_the_binding_is_taken(self, bound, left):
        xml = domain(' cpuset="2,5"', bound)
        self.assertEqual(
            canonical(domain(tuning=left)), canonical(unbound.unbound(xml))
        )

    @ddt.data('', f'<cputune>{SHARES}</cputune>')
    def test_one_that_is_not_bound_stays_as_it_is(self, tuning):
        xml = domain(tuning=tuning)
        self.assertEqual(canonical(xml), canonical(unbound.unbound(xml)))
