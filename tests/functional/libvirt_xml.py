# SPDX-License-Identifier: Apache-2.0
"""Pieces of libvirt's XML."""

from __future__ import annotations

from lxml import etree

Element = etree._Element


def element(xml: str) -> Element:
    """A device, to be hidden in a running domain."""
    return etree.fromstring(xml)


def ids(text: str) -> list[int]:
    """The ids of a libvirt set such as ``0-1,3``."""
    found: list[int] = []
    for item in text.split(','):
        first, _, last = item.partition('-')
        found += range(int(first), int(last or first) + 1)
    return found
