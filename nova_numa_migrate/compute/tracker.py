# SPDX-License-Identifier: Apache-2.0
"""The resource tracker that knows which claims name their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
import contextlib
import threading
from typing import Any

from nova import objects
from nova import utils
from nova.compute import resource_tracker
from nova.compute import task_states
from nova.compute import vm_states
import nova.conf
from oslo_log import log as logging

from nova_numa_migrate import binding
from nova_numa_migrate import fit
from nova_numa_migrate.binding import Binding
from nova_numa_migrate.hint import NodeMap
from nova_numa_migrate.move import Move
from nova_numa_migrate.placement import room
from nova_numa_migrate.placement.room import Need

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)


class NumaResourceTracker(resource_tracker.ResourceTracker):
    """Nova's tracker; its claims ask it for the named nodes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Of each thread its own, see claiming.
        self._claiming = threading.local()
        self._expected: dict[str, Sequence[Need]] = {}

    @contextlib.contextmanager
    def claiming(self, instance: str, node_map: NodeMap) -> Iterator[None]:
        """While in it, the instance's claim is one of the named nodes.

        Of this thread alone: a refused request resets the server before its
        own thread is done, and Nova lets in the next one.
        """
        self._claiming.named = instance, node_map
        try:
            yield
        finally:
            del self._claiming.named

    def node_map_of(self, instance: str) -> NodeMap | None:
        """The nodes that the claim under way names, if it names any."""
        named, node_map = getattr(self._claiming, 'named', ('', None))
        return node_map if named == instance else None

    def instance_claim(
        self,
        context: Any,
        instance: Any,
        nodename: str,
        allocations: Any,
        limits: Any = None,
    ) -> Any:
        """Claim for an instance that is created or unshelved.

        What it was bound to before counts no more; the claim saves it.
        """
        node_map = self.node_map_of(instance.uuid)
        new = None
        if node_map is not None and instance.numa_topology is None:
            new = Binding(self.host, node_map.nodes)
        binding.place(instance.system_metadata, new)
        return super().instance_claim(
            context, instance, nodename, allocations, limits
        )

    def rebuild_claim(
        self, context: Any, instance: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Claim for an instance that is evacuated; likewise."""
        binding.place(instance.system_metadata, None)
        return super().rebuild_claim(context, instance, *args, **kwargs)

    def _update_usage_from_migration(
        self, context: Any, instance: Any, migration: Any, nodename: str
    ) -> None:
        """Book what a migration holds beside what its instance has here.

        On one host those are the new cells before the instance is on them,
        and the old ones from then on; Nova tells by the flavor, which a
        migration from node to node does not change.  One that is finished
        waits for nothing: its guest has arrived, or is not coming home.
        """
        if migration.status == 'finished':
            self.arrived(instance.uuid)
        arrived = _is_from_node_to_node(migration) and _is_on_new_cells(
            instance
        )
        flavor = None if arrived else migration.old_instance_type_id
        with utils.temporary_mutation(migration, old_instance_type_id=flavor):
            super()._update_usage_from_migration(
                context, instance, migration, nodename
            )

    def update_usage(self, context: Any, instance: Any, nodename: str) -> None:
        """Book what has changed of a server; of one that has moved as well.

        Until its next audit Nova knows one that has arrived, or has come
        home, by its migration alone, and gives nothing back when it is
        deleted: the scheduler would find its nodes full for a minute.
        """
        if vm_states.allow_resource_removal(
            vm_state=instance.vm_state, task_state=instance.task_state
        ):
            self._adopt(instance)
        super().update_usage(context, instance, nodename)

    @utils.synchronized(resource_tracker.COMPUTE_RESOURCE_SEMAPHORE, fair=True)
    def _adopt(self, instance: Any) -> None:
        """What is booked as a migration's is its instance's."""
        if instance.uuid in self.tracked_instances:
            return
        migration = self.tracked_migrations.get(instance.uuid)
        if migration is not None and _is_settled(instance, migration):
            del self.tracked_migrations[instance.uuid]
            self.tracked_instances.add(instance.uuid)

    def _drop_move_claim(
        self, context: Any, instance: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Give back one side of a move; the guest may be on the other one.

        Nova forgets it there, too, where both are this host.
        """
        stays = (
            instance.uuid in self.tracked_instances
            and instance.uuid in self.tracked_migrations
        )
        super()._drop_move_claim(context, instance, *args, **kwargs)
        if stays:
            self.tracked_instances.add(instance.uuid)

    def drop_move_claim_at_dest(
        self, context: Any, instance: Any, migration: Any
    ) -> None:
        """Give back what a reverted move has here, and the server with it."""
        if Move.of(instance.system_metadata, migration.uuid) is None:
            super().drop_move_claim_at_dest(context, instance, migration)
        else:
            self._hand_home(context, instance, migration)

    @utils.synchronized(resource_tracker.COMPUTE_RESOURCE_SEMAPHORE, fair=True)
    def _hand_home(self, context: Any, instance: Any, migration: Any) -> None:
        """As Nova's, so that at any instant one host books the server.

        Nova says first that the migration is reverted, and the source says
        some time later that the server is there: an audit of the source books
        nothing in between, and one here the cells that it has there.
        """
        self._drop_here(context, instance, migration)
        home = objects.ComputeNode.get_by_host_and_nodename(
            context, migration.source_compute, migration.source_node
        )
        instance.revert_migration_context()
        instance.host = home.host
        instance.node = home.hypervisor_hostname
        instance.compute_id = home.id
        instance.save(expected_task_state=[task_states.RESIZE_REVERTING])
        migration.status = 'reverted'
        migration.save()

    def _drop_here(self, context: Any, instance: Any, migration: Any) -> None:
        is_booked = instance.uuid in self.tracked_migrations or (
            # By itself alone it is booked on its old cells then.
            not _is_from_node_to_node(migration)
            and instance.uuid in self.tracked_instances
        )
        if not is_booked:
            # The second try: Nova would give it back once more.
            return
        try:
            self._drop_move_claim(
                context,
                instance,
                migration.dest_node,
                instance.new_flavor,
                prefix='new_',
            )
        except Exception:
            # Placement, most likely; no reason to leave a guest nowhere.
            LOG.exception(
                'What this host has left without the guest is reported by '
                'its next audit',
                instance=instance,
            )

    def expect(self, instance: str, cells: Iterable[Any]) -> list[str]:
        """Hold the memory of an instance's cells until it has arrived.

        To be called under Nova's resource lock.

        :param cells: of objects.InstanceNUMATopology, placed on this host.
        :returns: what the nodes lack, for people; nothing is held then.
        """
        needs = fit.needs(cells)
        short = room.shortages(
            needs,
            self._promised(but=instance),
            CONF.numa_migrate.free_memory_margin_mb * 1024,
        )
        if not short:
            self._expected[instance] = needs
        return short

    @utils.synchronized(resource_tracker.COMPUTE_RESOURCE_SEMAPHORE, fair=True)
    def short_of_memory(
        self, instance: str, cells: Iterable[Any]
    ) -> list[str]:
        """The same for one that has claimed; its memory is held anew."""
        return self.expect(instance, cells)

    def arrived(self, instance: str) -> None:
        """The instance has taken its memory, or never will."""
        self._expected.pop(instance, None)

    def _promised(self, but: str) -> list[Need]:
        """The memory that other guests on their way here will take.

        Nobody tells of a move that its source gave up; Nova's audit drops
        its migration.
        """
        self._expected = {
            instance: needs
            for instance, needs in self._expected.items()
            if instance in self.tracked_migrations
        }
        return [
            need
            for instance, needs in self._expected.items()
            for need in needs
            if instance != but
        ]


def _is_from_node_to_node(migration: Any) -> bool:
    return bool(
        migration.source_compute == migration.dest_compute
        and migration.source_node == migration.dest_node
        and migration.old_instance_type_id == migration.new_instance_type_id
    )


def _is_settled(instance: Any, migration: Any) -> bool:
    """Whether the instance has what its migration has booked here.

    Nova hands a server over first, and gives it its new cells and its new
    flavor later: deleted in between, it would give back the source's.
    """
    return instance.migration_context is None or (
        instance.instance_type_id == migration.new_instance_type_id
        and _is_on_new_cells(instance)
    )


def _is_on_new_cells(instance: Any) -> bool:
    """Whether the migration's new cells are the instance's own by now."""
    moving = instance.migration_context
    if moving is None:
        return False
    now = _cells(instance.numa_topology)
    return now == _cells(moving.new_numa_topology)


def _cells(topology: Any) -> list[tuple[int, Any]]:
    cells = topology.cells if topology else ()
    return [(cell.id, cell.cpu_pinning) for cell in cells]
