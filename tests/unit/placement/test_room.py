# SPDX-License-Identifier: Apache-2.0
"""Room on a node is what the kernel has, less what is spoken for."""

import ddt
import testtools

from nova_numa_migrate.placement import room
from tests import fake_nodes

MIB = 1024
BASE = room.BASE_PAGE_KIB


def need(node, mib, page=BASE):
    return room.Need(node, mib * MIB, page)


@ddt.ddt
class RoomTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.nodes = self.useFixture(fake_nodes.FakeNodesFixture())

    def shortages(self, *needs, promised=(), margin=0, **more):
        return room.shortages(needs, promised, margin * MIB, **more)

    def assert_room(self, *needs, **more):
        self.assertEqual([], self.shortages(*needs, **more))

    def assert_short(self, *needs, **more):
        found = self.shortages(*needs, **more)
        self.assertEqual(1, len(found), found)
        return found[0]

    def test_to_the_last_page(self):
        self.nodes.set(1, 512)
        self.assert_room(need(1, 512))
        self.assert_short(need(1, 513))

    def test_the_margin_stays_free(self):
        self.nodes.set(1, 512)
        self.assert_room(need(1, 384), margin=128)
        self.assert_short(need(1, 385), margin=128)

    def test_what_is_promised_is_gone(self):
        self.nodes.set(1, 512)
        others = [need(1, 100), need(1, 28), need(2, 4096), need(1, 512, 2048)]
        self.assert_room(need(1, 384), promised=others)
        self.assert_short(need(1, 385), promised=others)

    def test_half_of_what_the_kernel_can_give_up(self):
        self.nodes.set(1, 512, cache=200, slab=56)
        self.assert_room(need(1, 640))
        self.assert_short(need(1, 641))

    def test_all_of_it_where_that_is_asked(self):
        self.nodes.set(1, 512, cache=200, slab=56)
        self.assert_room(need(1, 768), cache=1.0)
        self.assert_short(need(1, 769), cache=1.0)

    def test_cells_of_one_node_are_added_up(self):
        self.nodes.set(1, 512)
        self.assert_room(need(1, 256), need(1, 256))
        self.assert_short(need(1, 256), need(1, 257))

    def test_huge_pages_have_their_own_pool_and_no_margin(self):
        self.nodes.set(1, 0)
        self.nodes.set_huge(1, 2048, 4)
        self.assert_room(need(1, 8, 2048), margin=128)
        self.assert_short(need(1, 10, 2048), margin=128)

    def test_every_short_node_is_told_in_numbers(self):
        self.nodes.set(1, 512)
        self.nodes.set(3, 0)
        self.assertEqual(
            [
                f'node 1 has 512 MiB free now in pages of {BASE} KiB, 100 '
                'MiB of them promised to guests on their way and 128 MiB to '
                'stay free; the guest needs 300 MiB',
                f'node 3 has 0 MiB free now in pages of {BASE} KiB, 0 MiB of '
                'them promised to guests on their way and 128 MiB to stay '
                'free; the guest needs 1 MiB',
            ],
            self.shortages(
                need(3, 1),
                need(1, 300),
                promised=[need(1, 100)],
                margin=128,
            ),
        )

    @ddt.data((7, BASE), (1, 1048576))
    @ddt.unpack
    def test_a_node_or_a_pool_that_is_not_there(self, node, page):
        self.assertEqual(
            [f'it has no node {node} with pages of {page} KiB now'],
            self.shortages(need(node, 1, page)),
        )


class ThisMachineTestCase(testtools.TestCase):
    def test_the_kernel_writes_what_is_read(self):
        self.assertEqual([], room.shortages([need(0, 1)]))
        self.assertEqual(1, len(room.shortages([need(0, 1024 * 1024 * 1024)])))
