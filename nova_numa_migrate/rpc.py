# SPDX-License-Identifier: Apache-2.0
"""What the compute services that run the plugin ask one another.

Messages of a namespace of our own on Nova's compute topic: Nova's own RPC
interface stays as it is, and a service without the plugin refuses them.
"""

from __future__ import annotations

from typing import Any

from nova import exception
from nova import rpc
from nova.compute import rpcapi
import nova.conf
from nova.objects import base
import oslo_messaging as messaging

from nova_numa_migrate.checkpoint.demand import Demand
from nova_numa_migrate.placement.report import CellPlacement

CONF = nova.conf.CONF

NAMESPACE = 'numa_migrate'

#: Counts up with what the messages hold: 1.1 adds sync_brought, 1.2
#: list_blockers, check_return, sync_checkpoint and send_checkpoint.
VERSION = '1.2'
_FIRST = '1.0'

#: What a service raises that is too old for a message.
_TOO_OLD = ('NoSuchMethod', 'UnsupportedVersion')


class Unanswered(exception.MigrationPreCheckError):
    """The host's service does not run, or is too old for the question."""


class NumaComputeAPI:
    """The client; see compute.endpoint for what answers."""

    def __init__(self) -> None:
        target = messaging.Target(
            topic=rpcapi.RPC_TOPIC, namespace=NAMESPACE, version=_FIRST
        )
        self._router = rpc.ClientRouter(
            rpc.get_client(target, serializer=base.NovaObjectSerializer())
        )

    def describe_guest(self, context: Any, instance: Any) -> Demand:
        """What the checkpoint of the running guest will ask of a host."""
        found = self._call(
            context, instance.host, 'describe_guest', instance=instance
        )
        return Demand(**found)

    def list_blockers(self, context: Any, instance: Any) -> list[str]:
        """Why the running guest cannot be saved where it is.

        A source that is too old to say so is taken to have no reason; it
        finds out for itself.
        """
        try:
            found: list[str] = self._call(
                context,
                instance.host,
                'list_blockers',
                version='1.2',
                instance=instance,
            )
        except exception.MigrationPreCheckError as error:
            if _is_too_old(error.__cause__):
                return []
            raise
        return found

    def check_destination(
        self, context: Any, host: str, instance: Any, demand: Demand
    ) -> list[str]:
        """Why the host cannot go on with the guest; empty when it can."""
        found: list[str] = self._call(
            context,
            host,
            'check_destination',
            instance=instance,
            demand=demand.to_primitive(),
        )
        return found

    def check_return(
        self, context: Any, host: str, instance: Any, demand: Demand
    ) -> list[str]:
        """Why the source cannot have its guest back; empty when it can.

        :raises Unanswered: where nobody knows.
        """
        found: list[str] = self._call(
            context,
            host,
            'check_return',
            version='1.2',
            instance=instance,
            demand=demand.to_primitive(),
        )
        return found

    def measure_placement(
        self, context: Any, instance: Any
    ) -> list[CellPlacement]:
        """Where the pages of the running guest are at this moment."""
        found = self._call(
            context, instance.host, 'measure_placement', instance=instance
        )
        return [CellPlacement.of_primitive(cell) for cell in found]

    def sync_brought(
        self, context: Any, host: str, instance: Any, names: list[str]
    ) -> None:
        """Have the source keep the disk files that it was brought.

        :raises nova.exception.MigrationPreCheckError: when it does not, or
            is too old to put them in the place of those that it has.
        """
        self._call(
            context,
            host,
            'sync_brought',
            version='1.1',
            instance=instance,
            names=names,
        )

    def sync_checkpoint(self, context: Any, host: str, instance: Any) -> None:
        """Have the host keep the checkpoint that it was sent.

        :raises nova.exception.MigrationPreCheckError: when it does not;
            Unanswered where nobody knows.
        """
        self._call(
            context, host, 'sync_checkpoint', version='1.2', instance=instance
        )

    def send_checkpoint(
        self, context: Any, host: str, instance: Any, migration: str
    ) -> None:
        """Have the host send a checkpoint that this one was sent, once more.

        :raises nova.exception.MigrationPreCheckError: when it does not.
        """
        # Only a host that has the file, and knows what is asked, is waited
        # for as long as a transfer may take.
        self.sync_checkpoint(context, host, instance)
        self._call(
            context,
            host,
            'send_checkpoint',
            version='1.2',
            patience=CONF.numa_migrate.transfer_timeout,
            instance=instance,
            migration=migration,
        )

    def discard_checkpoint(
        self, context: Any, host: str, instance: Any, migration: str
    ) -> None:
        """Have the host delete what it has kept of that migration.

        Nobody waits for it, and a host that does not run gets it later.
        """
        client = self._router.client(context).prepare(server=host)
        client.cast(
            context,
            'discard_checkpoint',
            instance=instance,
            migration=migration,
        )

    def _call(
        self,
        context: Any,
        host: str,
        method: str,
        version: str = _FIRST,
        patience: int | None = None,
        **arguments: Any,
    ) -> Any:
        """Ask a host.

        :param version: the first that has this method.
        :param patience: seconds, as long as the host says that it is at it.
        :raises nova.exception.MigrationPreCheckError: when it does not
            answer, or cannot.
        """
        client = self._router.client(context).prepare(
            server=host, version=version, **_waiting(patience)
        )
        try:
            return client.call(context, method, **arguments)
        except exception.NovaException:
            raise
        except Exception as error:
            failure = (
                Unanswered
                if _is_unanswered(error)
                else exception.MigrationPreCheckError
            )
            raise failure(
                reason=f'nova-numa-compute on host {host} did not answer '
                f'{method}: {type(error).__name__}: {error}'
            ) from error


def _is_too_old(error: BaseException | None) -> bool:
    """Whether a host has no such method yet.

    Over a real bus it comes as a name alone.
    """
    return getattr(error, 'exc_type', type(error).__name__) in _TOO_OLD


def _waiting(patience: int | None) -> dict[str, int]:
    if patience is None:
        return {}
    return {
        'timeout': max(patience, CONF.long_rpc_timeout),
        'call_monitor_timeout': CONF.rpc_response_timeout,
    }


def _is_unanswered(error: Exception) -> bool:
    if isinstance(error, messaging.RemoteError):
        return _is_too_old(error)
    return isinstance(error, messaging.MessagingException)
