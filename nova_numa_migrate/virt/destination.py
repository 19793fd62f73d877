# SPDX-License-Identifier: Apache-2.0
"""A guest goes on from its checkpoint: at the destination, or back home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
from pathlib import Path
from typing import Any

from nova import exception
import nova.conf
from nova.virt.libvirt import guest as libvirt_guest
from oslo_log import log as logging
from oslo_utils import excutils

from nova_numa_migrate import fit
from nova_numa_migrate.checkpoint import digest as digests
from nova_numa_migrate.guest_xml.remap import remap
from nova_numa_migrate.move import Move
from nova_numa_migrate.placement import room
from nova_numa_migrate.virt import interrupted
from nova_numa_migrate.virt import limits
from nova_numa_migrate.virt import pages
from nova_numa_migrate.virt.step import step

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)


def require(image: Path) -> None:
    """The checkpoint must be here before anything is done with the disks.

    :raises nova.exception.MigrationError: naming the file; a guest that was
        saved is never booted in silence.
    """
    if not image.is_file():
        raise exception.MigrationError(
            reason=f'the checkpoint {image} is not on host {CONF.host}: the '
            'guest was saved on its source host and must go on from there'
        )


def restore(
    driver: Any,
    context: Any,
    instance: Any,
    event: str,
    image: Path,
    digest: str,
    fresh_xml: str,
    pause: bool,
    prepare: Callable[[], None] | None,
) -> Any:
    """Define the guest and let it go on from its checkpoint.

    The remapped XML is what is defined as well: what Nova plugs in or out
    later finds the same addresses in the live and in the stored definition.

    :param event: the name of this step.
    :param digest: of the checkpoint when it was sent; empty where the file
        has not been sent, or was checked already.
    :param fresh_xml: Nova's XML for the guest on this host.
    :param pause: leave the guest paused; Nova resumes what is returned when
        the ports are ready.
    :param prepare: called after the definition, before the start.
    :returns: nova.virt.libvirt.guest.Guest.
    :raises nova.exception.MigrationError: when the checkpoint is damaged or
        cannot be remapped, the nodes have no room for it now, or libvirt
        refuses it and leaves it as it was.
    """
    # As Nova has it: not every place that imports this has the binding.
    libvirt = libvirt_guest.libvirt
    with contextlib.ExitStack() as undo:
        with step(context, instance, event):
            if digest:
                digests.require(image, digest)
            connection = driver._host.get_connection()
            saved_xml = connection.saveImageGetXMLDesc(
                str(image), libvirt.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE
            )
            xml = remap(saved_xml, fresh_xml)
            _require_room(instance)
            guest = libvirt_guest.Guest.create(xml, driver._host)
            if prepare is not None:
                prepare()
            driver.cpu_api.power_up_for_instance(instance)
            undo.enter_context(_undone(driver, instance, guest))
            # Paused: what is given up, or fails, has never run.
            with limits.deadline('restore_timeout', guest.poweroff):
                connection.restoreFlags(
                    str(image), xml, libvirt.VIR_DOMAIN_SAVE_PAUSED
                )
        if pause:
            return _Waiting(driver, instance, guest)
        # The end of the step may fail, too, where nobody can be told.
        _go_on(driver, instance, guest)
    return guest


def _require_room(instance: Any) -> None:
    """Only where a node lacks memory for certain: the guest does not run.

    What was found free before the save may be somebody else's by now, and the
    kernel would end a neighbour for a strict binding.  What has come here is
    in the page cache, all of which the kernel gives up before that.

    :raises nova.exception.MigrationError: with every node that is short.
    """
    short = room.shortages(fit.needs(fit.cells_of(instance)), cache=1.0)
    if short:
        raise exception.MigrationError(
            reason=f'host {CONF.host} cannot take the guest: '
            f'{"; ".join(short)}'
        )


class _Waiting(libvirt_guest.Guest):
    """A restored guest that waits for its ports, and has not run yet.

    Where they do not become ready, Nova takes it away: its checkpoint is all
    that there is of it then, so that is not spent before it goes on.
    """

    def __init__(self, driver: Any, instance: Any, guest: Any) -> None:
        super().__init__(guest._domain)
        self._driver = driver
        self._instance = instance
        self._guest = guest

    def resume(self) -> None:
        """Go on; Nova calls this when the ports are ready."""
        with _undone(self._driver, self._instance, self._guest):
            _go_on(self._driver, self._instance, self._guest)


def _go_on(driver: Any, instance: Any, guest: Any) -> None:
    """The last that is done: for what fails later Nova takes devices away."""
    try:
        driver.checkpoints.spend(instance.uuid)
        guest.resume()
    except Exception as error:
        raise exception.MigrationError(
            reason=f'the restored guest could not go on on host {CONF.host}: '
            f'{error}'
        ) from error
    LOG.info('The guest goes on from its checkpoint', instance=instance)


@contextlib.contextmanager
def _undone(driver: Any, instance: Any, guest: Any) -> Iterator[None]:
    """Leave nothing in libvirt of a guest that failed before it ran."""
    try:
        yield
    except Exception:
        with excutils.save_and_reraise_exception(logger=LOG):
            if interrupted.is_paused(guest):
                guest.poweroff()
                if driver.checkpoints.is_spent(instance.uuid):
                    driver.checkpoints.unspend(instance.uuid)


@contextlib.contextmanager
def one_flavor(instance: Any) -> Iterator[None]:
    """While in it, Nova's way back finds the flavors of the migration.

    It reads the old and the new one from the instance, where the last step
    at the destination puts them.  A move that failed before that step has
    none there; in a cold migration both are the instance's own.
    """
    if instance.old_flavor is not None:
        yield
        return
    instance.old_flavor = instance.new_flavor = instance.flavor
    try:
        yield
    finally:
        instance.old_flavor = instance.new_flavor = None


def verify(context: Any, instance: Any, move: Move) -> None:
    """Measure where the guest's pages are and keep it with the instance.

    The guest runs: what cannot be measured is logged, and nothing is undone.
    """
    with step(context, instance, 'numa_migrate_verify'):
        try:
            placement = pages.measure(instance, move.node_map.nodes)
        except Exception as error:
            LOG.warning(
                'The placement of the guest could not be measured: %s',
                error,
                instance=instance,
            )
            return
    pages.log(instance, placement)
    for cell in placement:
        cell.store(instance.system_metadata)
