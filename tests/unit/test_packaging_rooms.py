# SPDX-License-Identifier: Apache-2.0
"""Which room of the package may import which: HACKING.rst, held to."""

import testtools

from tests.unit import sources

PURE = {
    'binding',
    'checkpoint',
    'conf',
    'exception',
    'guest_xml',
    'hint',
    'metadata',
    'move',
    'placement',
    'plan',
    'policies',
}
FACING_NOVA = {'api', 'compute', 'scheduler', 'virt'}
# These put the others together or serve them.
SHARED = {
    'cmd',
    'events',
    'fit',
    'privsep',
    'reports',
    'rpc',
    'seams',
    'shortfall',
}
HYPERVISOR = {'libvirt', 'nova'}


def rooms():
    """Each room's name with the names that its modules import."""
    found = {}
    for path in sources.files(f'{sources.PACKAGE}/**.py'):
        room = path.parts[1].removesuffix('.py')
        found.setdefault(room, set()).update(sources.imports(path))
    return found


def neighbours(names):
    """Rooms of the package among imported names."""
    own = {n for n in names if n.startswith(f'{sources.PACKAGE}.')}
    return {name.split('.')[1] for name in own}


class RoomsTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.rooms = rooms()

    def assert_apart(self, room, forbidden):
        names = self.rooms[room]
        seen = neighbours(names) | {name.partition('.')[0] for name in names}
        self.assertEqual(set(), seen & (forbidden - {room}), room)

    def test_every_room_is_known_here(self):
        known = PURE | FACING_NOVA | SHARED | {'client', '__init__'}
        self.assertEqual(set(), set(self.rooms) - known)

    def test_the_package_itself_imports_nothing(self):
        self.assertEqual(set(), self.rooms['__init__'])

    def test_the_client_knows_only_the_rest_api(self):
        self.assert_apart('client', PURE | FACING_NOVA | SHARED | HYPERVISOR)

    def test_the_pure_rooms_know_neither_nova_nor_libvirt(self):
        forbidden = FACING_NOVA | SHARED | HYPERVISOR | {'client'}
        for room in PURE & set(self.rooms):
            self.assert_apart(room, forbidden)

    def test_what_faces_nova_does_not_know_one_another(self):
        for room in FACING_NOVA & set(self.rooms):
            self.assert_apart(room, FACING_NOVA | {'client', 'seams', 'cmd'})
