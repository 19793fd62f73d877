# SPDX-License-Identifier: Apache-2.0
"""The way of a plan from the request to the conductor.

Nova's ``compute.API.resize`` takes no hints, but all it does ends in one call
of its conductor client, which carries the RequestSpec.  There the plan gets
on.  Between the controller and that call it rides on the request's context
object, which belongs to one request and is never serialized with it.
"""

from __future__ import annotations

from typing import Any

from nova import objects
from nova.compute import api as compute_api
from nova.conductor import api as conductor_api

from nova_numa_migrate.plan import Plan
from nova_numa_migrate.plan import PLAN_KEY
from nova_numa_migrate.plan import without_plan

_ATTRIBUTE = 'numa_migrate_plan'


class PlannedTaskAPI(conductor_api.ComputeTaskAPI):
    """Nova's conductor client; a cold migration takes its plan along."""

    def resize_instance(
        self, context: Any, instance: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Put the request's plan, and no older one, on the RequestSpec."""
        spec = kwargs['request_spec']
        hints = spec.scheduler_hints if 'scheduler_hints' in spec else None
        plan = _plan_of(context)
        if plan is not None:
            spec.scheduler_hints = plan.added_to(hints)
            _admit(spec, instance.host)
        elif PLAN_KEY in (hints or {}):
            spec.scheduler_hints = without_plan(hints)
        super().resize_instance(context, instance, *args, **kwargs)


class PlannedComputeAPI(compute_api.API):
    """Nova's compute API, of which the migrate controller has its own."""

    def __init__(self) -> None:
        super().__init__()
        self.compute_task_api = PlannedTaskAPI()

    def _allow_cross_cell_resize(
        self, context: Any, instance: Any, min_comp_ver: int
    ) -> bool:
        """Whether the guest may leave its cell; with a plan it never does.

        Nova's way into another cell is one of its own, by a snapshot: it
        knows neither the guest's state nor the nodes that a plan names.
        """
        if _plan_of(context) is not None:
            return False
        return bool(
            super()._allow_cross_cell_resize(context, instance, min_comp_ver)
        )

    def _validate_host_for_cold_migrate(
        self, context: Any, instance: Any, host_name: str, cross_cell: bool
    ) -> Any:
        """The compute node of the host that the request names.

        Nova refuses the present one, where a migration would be of no use; a
        plan has the guest change its nodes there.
        """
        if host_name != instance.host or _plan_of(context) is None:
            return super()._validate_host_for_cold_migrate(
                context, instance, host_name, cross_cell
            )
        return objects.ComputeNode.get_by_host_and_nodename(
            context, instance.host, instance.node
        )


def hand_over(context: Any, plan: Plan) -> None:
    """Give a request its plan."""
    setattr(context, _ATTRIBUTE, plan)


def _plan_of(context: Any) -> Plan | None:
    plan: Plan | None = getattr(context, _ATTRIBUTE, None)
    return plan


def _admit(spec: Any, present_host: str) -> None:
    """Let the scheduler consider the present host where it was named.

    Nova has it ignored in any migration of a libvirt guest.
    """
    destination = spec.requested_destination
    if 'host' in destination and destination.host == present_host:
        spec.ignore_hosts = [h for h in spec.ignore_hosts if h != present_host]
