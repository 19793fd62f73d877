# SPDX-License-Identifier: Apache-2.0
"""Guests on a move, and what the database says of it.

For the tests of what the compute services do with moves that they find.
"""

from unittest import mock

from nova import context
from nova import objects
from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate import hint
from nova_numa_migrate import move
from tests.unit import patching


class Failure(Exception):
    """Any part's failure."""


def a_move(state=move.State.OPEN, migration=uuids.migration, **fields):
    """To the nodes 3 and 2, with the guest's state."""
    return move.Move(
        migration,
        hint.NodeMap((3, 2)),
        hint.CheckpointMode.REQUIRED,
        state,
        **fields,
    )


def an_instance(its_move=None, uuid=uuids.instance, **fields):
    """One that is on that move, or on none."""
    instance = objects.Instance(uuid=uuid, system_metadata={}, **fields)
    if its_move is not None:
        its_move.store(instance.system_metadata)
    return instance


class MovesTestCase(patching.PatchingTestCase):
    """The base of tests with one migration under way."""

    def setUp(self):
        super().setUp()
        self.context = context.get_admin_context()
        self.migration = objects.Migration(uuid=uuids.migration)

    def know_records(self):
        """The database has the migration, and what the server asks for."""
        self.patch(
            objects.Migration, 'get_by_uuid', return_value=self.migration
        )
        self.patch(
            objects.RequestSpec,
            'get_by_instance_uuid',
            return_value=mock.sentinel.spec,
        )

    def save_nothing(self):
        for cls in (objects.Instance, objects.Migration):
            self.patch(cls, 'save')
