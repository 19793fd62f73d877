# SPDX-License-Identifier: Apache-2.0
"""A bare guest's XML without what binds it to nodes of its host (pure).

Nova itself writes neither pins nor a memory policy for such a guest, so all
that there is of them is the binding.
"""

from __future__ import annotations

from lxml import etree


def unbound(xml: str) -> str:
    """The guest as Nova would have described it; the rest stays as it is.

    ``<cputune>`` may hold quotas as well, and goes only where it is empty.
    """
    domain = etree.fromstring(xml.encode())
    for vcpu in domain.iterfind('vcpu'):
        vcpu.attrib.pop('cpuset', '')
    for numatune in domain.findall('numatune'):
        domain.remove(numatune)
    for cputune in domain.findall('cputune'):
        for pin in cputune.findall('vcpupin'):
            cputune.remove(pin)
        if not len(cputune):
            domain.remove(cputune)
    return str(etree.tostring(domain, encoding='unicode'))
