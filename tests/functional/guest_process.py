# SPDX-License-Identifier: Apache-2.0
"""What the kernel would tell of the QEMU of a guest that is only pretended.

Each guest cell is one area, all of it on the node it is bound to, and so is
the memory of a guest without cells, which may be spread over its nodes;
before them an area that is no guest memory.
"""

from __future__ import annotations

from collections.abc import Iterator
import json

from tests.functional import libvirt_xml

_Nodes = dict[str | None, str | None]


def files(domain: libvirt_xml.Element) -> tuple[str, str, str]:
    """Its maps, numa_maps and command line, by the XML of the domain."""
    maps = ['55d000000000-55d000002000 r-xp 00000000 fd:00 9 /bin/qemu']
    numa_maps = ['55d000000000 default file=/bin/qemu mapped=2 N0=2']
    nodes = {
        memnode.get('cellid'): memnode.get('nodeset')
        for memnode in domain.iterfind('numatune/memnode')
    }
    start = 0x7F0000000000
    for kib, policy, spread in _memory_areas(domain, nodes):
        end = start + kib * 1024
        maps.append(f'{start:x}-{end:x} rw-p 00000000 00:00 0')
        pages = kib // 4 // len(spread)
        numa_maps.append(
            f'{start:x} {policy} anon={kib // 4} dirty={kib // 4} '
            f'{" ".join(f"N{node}={pages}" for node in spread)} '
            'kernelpagesize_kB=4'
        )
        start = end + 0x1000
    return (
        '\n'.join(maps) + '\n',
        '\n'.join(numa_maps) + '\n',
        '\0'.join(_command(nodes)) + '\0',
    )


def _command(nodes: _Nodes) -> list[str]:
    command = ['qemu-system-x86_64']
    for cell_id, nodeset in nodes.items():
        backend = {
            'id': f'ram-node{cell_id}',
            'host-nodes': libvirt_xml.ids(nodeset or ''),
        }
        command += ['-object', json.dumps(backend)]
    return command


def _memory_areas(
    domain: libvirt_xml.Element, nodes: _Nodes
) -> Iterator[tuple[int, str, list[int]]]:
    """KiB, policy and host nodes of each area of guest memory."""
    cells = domain.findall('cpu/numa/cell')
    for cell in cells:
        node = nodes[cell.get('id')] or ''
        yield int(cell.get('memory', 0)), f'bind:{node}', libvirt_xml.ids(node)
    if cells:
        return
    kib = int(domain.findtext('memory'))
    bound = domain.find('numatune/memory')
    if bound is None:
        yield kib, 'default', [0]
        return
    names = {'strict': 'bind', 'interleave': 'interleave'}
    nodeset = bound.get('nodeset')
    policy = f'{names[bound.get("mode")]}:{nodeset}'
    yield kib, policy, libvirt_xml.ids(nodeset)
