# SPDX-License-Identifier: Apache-2.0
"""A save or a restore whose end the service did not see, because it died.

libvirt goes on without it: the guest may still be on its way into the file, be
in it, or run on because the save failed; and the same the other way.  libvirt
is asked, nothing guessed.
"""

from __future__ import annotations

import enum
from typing import Any

from nova import exception
from nova.virt.libvirt import guest as libvirt_guest
from oslo_log import log as logging
import tenacity

LOG = logging.getLogger(__name__)

#: Seconds between two looks at a save that goes on, and at most in all.
_POLL, _PATIENCE = 1.0, 1800.0


class Ending(enum.Enum):
    """What became of the guest."""

    #: It runs, or is paused, where it was.
    HERE = 'here'
    #: It is off, and whole in its checkpoint.
    SAVED = 'saved'
    #: It is off, and its memory is lost.
    LOST = 'lost'


def ending(driver: Any, instance: Any) -> Ending:
    """Wait until libvirt is done with the save and say how it ended.

    :param driver: the libvirt driver.
    :raises tenacity.RetryError: when libvirt does not come to an end.
    :raises Exception: when libvirt does not say; nothing may be done then.
    """
    found = _ending(driver, instance)
    LOG.warning(
        'The save of the guest was interrupted: the guest is %s',
        found.value,
        instance=instance,
    )
    return found


def goes_on(driver: Any, instance: Any) -> bool:
    """Wait until libvirt is done with the restore; whether the guest runs.

    A restored guest waits, paused, for the service to have it go on.  One
    that libvirt was still starting when it ended itself is taken away: it
    has never run.

    :raises Exception: as ``ending``.
    """
    _wait(driver, instance)
    try:
        guest = driver._host.get_guest(instance)
    except exception.InstanceNotFound:
        return False
    if is_paused(guest):
        _, reason = guest._domain.state()
        if reason == libvirt_guest.libvirt.VIR_DOMAIN_PAUSED_STARTING_UP:
            guest.poweroff()
        elif was_restored(driver, instance):
            driver.checkpoints.spend(instance.uuid)
            guest.resume()
    return bool(guest.is_active())


def take_away(driver: Any, instance: Any) -> None:
    """End a guest that was restored and has not run, for another restore.

    Its checkpoint, which is here, is not spent: that is all that there is of
    the guest, and nothing is lost.

    :raises Exception: when libvirt does not do it.
    """
    try:
        guest = driver._host.get_guest(instance)
    except exception.InstanceNotFound:
        return
    if is_paused(guest) and not driver.checkpoints.is_spent(instance.uuid):
        LOG.warning(
            'The guest was restored and has not run: it is taken away, and '
            'its state is kept in its checkpoint',
            instance=instance,
        )
        guest.poweroff()


def was_restored(driver: Any, instance: Any) -> bool:
    """Whether a guest that is paused here waits to go on from a checkpoint.

    Others stand still of their own: their disk is full, say.
    """
    files = driver.checkpoints
    uuid = instance.uuid
    return bool(files.image(uuid).exists() or files.is_spent(uuid))


def is_paused(guest: Any) -> bool:
    """Whether the guest is there and stands still.

    :param guest: nova.virt.libvirt.guest.Guest.
    """
    libvirt = libvirt_guest.libvirt
    state, _ = guest._domain.state()
    return bool(state == libvirt.VIR_DOMAIN_PAUSED)


def _ending(driver: Any, instance: Any) -> Ending:
    _wait(driver, instance)
    if not driver.is_gone(instance):
        return Ending.HERE
    # libvirt removes what it could not write to its end; and a guest that had
    # gone on from there before it stopped has none any more.
    return Ending.SAVED if is_whole(driver, instance) else Ending.LOST


def _wait(driver: Any, instance: Any) -> None:
    tenacity.Retrying(
        stop=tenacity.stop_after_delay(_PATIENCE),
        wait=tenacity.wait_fixed(_POLL),
        retry=tenacity.retry_if_result(bool)
        # libvirt's own daemon may just be starting again.
        | tenacity.retry_if_exception_type(exception.HypervisorUnavailable),
    )(_is_busy, driver, instance)


def _is_busy(driver: Any, instance: Any) -> bool:
    libvirt = libvirt_guest.libvirt
    try:
        job = driver._host.get_guest(instance).get_job_info()
    except exception.InstanceNotFound:
        return False
    under_way = (
        libvirt.VIR_DOMAIN_JOB_BOUNDED,
        libvirt.VIR_DOMAIN_JOB_UNBOUNDED,
    )
    return job.type in under_way


def is_whole(driver: Any, instance: Any) -> bool:
    """Whether libvirt has written the guest's checkpoint to its end.

    It marks the file as complete last, and refuses to read one that is not
    (virQEMUSaveDataRead and "save image is incomplete").

    :raises Exception: when libvirt does not say.
    """
    image = driver.checkpoints.image(instance.uuid)
    if not image.exists():
        return False
    libvirt = libvirt_guest.libvirt
    try:
        driver._host.get_connection().saveImageGetXMLDesc(str(image), 0)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_OPERATION_FAILED:
            raise
        return False
    return True
