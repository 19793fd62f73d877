# SPDX-License-Identifier: Apache-2.0
"""The compute manager of nova-numa-compute.

It turns the plan of a request into the move of an instance on the
destination, and takes what is known of the move away when it is over.  The
inner methods are overridden, not the RPC methods: those carry Nova's error
handling, events and task tracking, which stay in force.  A revert has no inner
method.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any

from nova import context as nova_context
from nova import exception
from nova.compute import manager
from oslo_log import log as logging
from oslo_service import periodic_task
from oslo_utils import excutils

from nova_numa_migrate import events
from nova_numa_migrate import move
from nova_numa_migrate.compute import acceptance
from nova_numa_migrate.compute import arrivals
from nova_numa_migrate.compute import departures
from nova_numa_migrate.compute import endpoint
from nova_numa_migrate.compute import halves
from nova_numa_migrate.compute import handover
from nova_numa_migrate.compute import recovery
from nova_numa_migrate.compute import revert
from nova_numa_migrate.compute import sweep
from nova_numa_migrate.compute import tracker
from nova_numa_migrate.compute import way_home
from nova_numa_migrate.hint import InvalidHint
from nova_numa_migrate.plan import Plan

LOG = logging.getLogger(__name__)

#: The server's owner sees it, so that it names no host.
_REFUSED_EVENT = 'numa_migrate_refused'

#: Seconds; a checkpoint that outlives its move is rare, not dangerous.
_SWEEP_SPACING = 600


class NumaComputeManager(departures.DeparturesMixin, manager.ComputeManager):
    """Nova's compute manager; a hinted migration claims its nodes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rt = tracker.NumaResourceTracker(
            self.host, self.driver, reportclient=self.reportclient
        )
        self.additional_endpoints.append(endpoint.NumaEndpoint(self))

    def pre_start_hook(self, *args: Any) -> None:
        """Before the first message: end what a dead service left."""
        context = nova_context.get_admin_context()
        # A guest that has stayed must not be booked where it was to go.
        departures.recover(self, context)
        super().pre_start_hook(*args)
        recovery.recover(self, context)
        halves.take_up(self, context, recovery.ATTRIBUTES)
        arrivals.take_up(self, context, recovery.ATTRIBUTES)
        sweep.sweep(self, context)

    @periodic_task.periodic_task(spacing=arrivals.PATIENCE)
    def _take_up_moves(self, context: Any) -> None:
        for module in (departures, recovery, halves, arrivals):
            module.take_up(
                self, context, recovery.ATTRIBUTES, arrivals.PATIENCE
            )

    @periodic_task.periodic_task(spacing=_SWEEP_SPACING)
    def _sweep_checkpoints(self, context: Any) -> None:
        sweep.sweep(self, context)

    def _build_and_run_instance(
        self,
        context: Any,
        instance: Any,
        image: Any,
        injected_files: Any,
        admin_password: Any,
        requested_networks: Any,
        security_groups: Any,
        block_device_mapping: Any,
        node: Any,
        limits: Any,
        filter_properties: Any,
        request_spec: Any = None,
        accel_uuids: Any = None,
    ) -> None:
        """Create an instance, on the nodes that its request names."""
        plan = Plan.of_spec(request_spec, context.request_id)
        with (
            self.rt.claiming(instance.uuid, plan.node_map)
            if plan
            else contextlib.nullcontext()
        ):
            super()._build_and_run_instance(
                context,
                instance,
                image,
                injected_files,
                admin_password,
                requested_networks,
                security_groups,
                block_device_mapping,
                node,
                limits,
                filter_properties,
                request_spec,
                accel_uuids,
            )

    def _prep_resize(
        self,
        context: Any,
        image: Any,
        instance: Any,
        flavor: Any,
        filter_properties: Any,
        node: Any,
        migration: Any,
        request_spec: Any,
        clean_shutdown: bool = True,
    ) -> None:
        """On the destination: claim, then have the source start the move."""

        prepare = functools.partial(
            super()._prep_resize,
            context,
            image,
            instance,
            flavor,
            filter_properties,
            node,
            migration,
            request_spec,
            clean_shutdown,
        )
        # What an earlier move left behind must not steer this one; Nova
        # saves the instance before it claims.
        move.forget(instance.system_metadata)
        try:
            plan = Plan.of_spec(request_spec, context.request_id)
        except InvalidHint as error:
            raise exception.InstanceFaultRollback(
                inner_exception=error
            ) from error
        if plan is None:
            self._check_changes(instance, flavor)
            prepare()
            return
        in_place = instance.host == self.host
        move.Move(
            migration.uuid, plan.node_map, plan.checkpoint, in_place=in_place
        ).store(instance.system_metadata)
        try:
            acceptance.before_the_claim(self, context, instance, plan)
            self.driver.warm_up(context, instance)
            with self.rt.claiming(instance.uuid, plan.node_map):
                if not in_place:
                    self.driver.expect(instance, migration.uuid)
                prepare()
        except Exception as error:
            # Nothing has touched the guest: whatever went wrong here, it
            # runs on and its server goes back to what it was.  Nova tries
            # the next host for this exception as for any other.
            self._forget_move(instance)
            self.driver.expect_no_more(instance)
            if isinstance(error, exception.InstanceFaultRollback):
                raise
            events.tell(
                context, instance.uuid, self.host, _REFUSED_EVENT, error
            )
            raise events.rollback(error) from error

    def _resize_instance(
        self,
        context: Any,
        instance: Any,
        image: Any,
        migration: Any,
        flavor: Any,
        clean_shutdown: bool,
        request_spec: Any,
    ) -> None:
        """On the source: save the guest and send it."""
        asked = departures.asked_by(instance, migration)
        vm_state = instance.vm_state
        try:
            super()._resize_instance(
                context,
                instance,
                image,
                migration,
                flavor,
                clean_shutdown,
                request_spec,
            )
        except Exception as error:
            with excutils.save_and_reraise_exception(logger=LOG) as failure:
                if asked is None:
                    # A migration without a hint is Nova's alone.
                    pass
                elif move.Move.of(instance.system_metadata) is None:
                    # Given up by the driver; the server has been reset.
                    way_home.call_off(self, context, instance, migration)
                elif way_home.has_left(context, instance):
                    # The destination decides.
                    failure.reraise = not handover.stands(
                        context, instance, migration, vm_state, error
                    )
                elif way_home.leads_home(self.driver, instance, migration):
                    way_home.stay_home(
                        self, context, instance, migration, request_spec
                    )
                elif not self._is_pending(instance):
                    # The guest runs, or is off where it was: either way
                    # this move is over.
                    self._forget_move(instance)
                    way_home.call_off(self, context, instance, migration)

    def finish_resize(
        self,
        context: Any,
        disk_info: Any,
        image: Any,
        instance: Any,
        migration: Any,
        request_spec: Any,
    ) -> None:
        """On the destination: once, however often it is asked for."""
        finish = functools.partial(
            super().finish_resize,
            context,
            disk_info,
            image,
            instance,
            migration,
            request_spec,
        )
        if move.Move.of(instance.system_metadata, migration.uuid) is None:
            finish()
            return
        with arrivals.once(context, instance, migration) as due:
            if due:
                finish()

    def _finish_resize(
        self,
        context: Any,
        instance: Any,
        migration: Any,
        disk_info: Any,
        image_meta: Any,
        bdms: Any,
        request_spec: Any,
    ) -> Any:
        """On the destination: start the guest, or send it home."""
        try:
            return super()._finish_resize(
                context,
                instance,
                migration,
                disk_info,
                image_meta,
                bdms,
                request_spec,
            )
        except Exception as error:
            with excutils.save_and_reraise_exception(logger=LOG) as failure:
                failure.reraise = not recovery.settles(
                    self, context, instance, migration, request_spec, error
                )
        finally:
            self.rt.arrived(instance.uuid)
        return instance.get_network_info()

    def revert_resize(
        self, context: Any, instance: Any, migration: Any, request_spec: Any
    ) -> None:
        """On the destination: first the guest's state, then Nova's revert.

        Nova has no inner method here; its own carries its decorators.
        """
        undo = functools.partial(
            super().revert_resize, context, instance, migration, request_spec
        )
        if move.Move.of(instance.system_metadata, migration.uuid) is None:
            undo()
            return
        with halves.first(self, context, instance, migration) as due:
            if due and revert.send_home(self, context, instance, migration):
                undo()

    def finish_revert_resize(
        self, context: Any, instance: Any, migration: Any, request_spec: Any
    ) -> None:
        """On the source: once, however often it is asked for."""
        finish = functools.partial(
            super().finish_revert_resize,
            context,
            instance,
            migration,
            request_spec,
        )
        if move.Move.of(instance.system_metadata, migration.uuid) is None:
            finish()
            return
        with halves.second(self, context, instance, migration) as due:
            if due:
                finish()

    def _revert_allocation(
        self, context: Any, instance: Any, migration: Any
    ) -> Any:
        """What the migration holds is the server's; or is by now."""
        revert_it = functools.partial(
            super()._revert_allocation, context, instance, migration
        )
        if move.Move.of(instance.system_metadata, migration.uuid) is None:
            return revert_it()
        return halves.give_back(self, context, instance, migration, revert_it)

    def _is_instance_storage_shared(
        self, context: Any, instance: Any, host: str | None = None
    ) -> bool:
        """Whether the disks here are the other host's as well.

        Nova asks that host, which does not answer itself before it takes
        messages.
        """
        if host == self.host:
            return True
        shared: bool = super()._is_instance_storage_shared(
            context, instance, host=host
        )
        return shared

    def _delete_stashed_flavor_info(self, instance: Any) -> None:
        """At the end of a confirm and of a revert; it saves the instance.

        Of one that failed as well, which leaves the move to be known.
        """
        if not self._is_pending(instance):
            move.forget(instance.system_metadata)
        super()._delete_stashed_flavor_info(instance)

    def _check_changes(self, instance: Any, flavor: Any) -> None:
        """Nova's refusal of a migration that changes nothing, in its words.

        Its own check passes any guest where the driver can move one from
        node to node.
        """
        same_flavor = flavor.id == instance.instance_type_id
        if same_flavor and instance.host == self.host:
            raise exception.InstanceFaultRollback(
                inner_exception=exception.UnableToMigrateToSelf(
                    instance_id=instance.uuid, host=self.host
                )
            )

    def _is_pending(self, instance: Any) -> bool:
        """Whether this host has all that there is of a moved guest."""
        return move.Move.of(
            instance.system_metadata
        ) is not None and self.driver.has_pending_state(instance)

    def _forget_move(self, instance: Any) -> None:
        move.forget(instance.system_metadata)
        # Nova leaves it, and would book the new cells of a guest that has
        # stayed on its host.
        instance.drop_migration_context()
        instance.save()
