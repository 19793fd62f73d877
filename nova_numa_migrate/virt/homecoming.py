# SPDX-License-Identifier: Apache-2.0
"""What this host's checkpoint means when Nova takes a migration back.

By a revert, by a move that failed, or because the service was started anew:
the journal, the move and libvirt say whether the guest goes on from the
checkpoint, is booted as Nova does, or has been running here all the time.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import dataclasses
from typing import Any

from nova import exception
from nova import objects
from nova.compute import task_states
from oslo_log import log as logging

from nova_numa_migrate.checkpoint.journal import Journal
from nova_numa_migrate.checkpoint.journal import Step
from nova_numa_migrate.exception import NotBroughtBack
from nova_numa_migrate.move import Disks
from nova_numa_migrate.move import Move
from nova_numa_migrate.move import State
from nova_numa_migrate.virt import interrupted

LOG = logging.getLogger(__name__)

#: Of a move whose guest has gone on, or goes without its state.
_NOTHING_SAVED = (State.RESTORED, State.NONE)


class Kept(exception.MigrationError, NotBroughtBack):
    """As Nova shows its own errors: with all of its text."""

    def __init__(self, reason: str) -> None:
        exception.MigrationError.__init__(self, reason=reason)


@dataclasses.dataclass(frozen=True)
class Homecoming:
    """How a guest comes home.

    ``still_here`` tells that it never left; otherwise ``journal`` is that of
    the checkpoint that it goes on from, None when there is none that fits.
    ``brought`` tells that it was taken at the destination.
    """

    still_here: bool = False
    journal: Journal | None = None
    brought: bool = False

    @classmethod
    def of(cls, driver: Any, instance: Any) -> Homecoming:
        """Read what this host knows, and ask libvirt where it has to be.

        :param driver: the libvirt driver.
        :raises Exception: when libvirt has to be asked and does not say.
        """
        move = Move.of(instance.system_metadata)
        brought = move is not None and move.state is State.HOMEWARD
        if driver.checkpoints.is_spent(instance.uuid):
            # A service died as it brought the guest back.
            here = interrupted.goes_on(driver, instance)
            return cls(still_here=here, brought=brought)
        if move is None:
            return cls()
        # What this host's own journal says is older than what was brought.
        journal = (
            _brought(move)
            if brought
            else driver.checkpoints.journal(instance.uuid, move.migration)
        )
        if journal is not None and journal.step is Step.SAVING:
            return cls._after_a_crash(driver, instance, move, journal)
        if interrupted.goes_on(driver, instance):
            # Or as it was about to have the guest go on.
            return cls(still_here=True, brought=brought)
        if journal is not None and not (brought or _fits(instance, move)):
            journal = None
        return cls(journal=journal, brought=brought)

    @classmethod
    def _after_a_crash(
        cls, driver: Any, instance: Any, move: Move, journal: Journal
    ) -> Homecoming:
        """A save whose end was not seen; one that is whole is put down so.

        Nor is it written down where it was seen, and the disk was full.
        """
        if (
            instance.task_state != task_states.RESIZE_MIGRATING
            and move.state is not State.RETURNING
        ):
            return cls()
        ending = interrupted.ending(driver, instance)
        if ending is interrupted.Ending.SAVED:
            saved = dataclasses.replace(journal, step=Step.SAVED)
            driver.checkpoints.record(instance.uuid, saved)
            return cls(journal=saved)
        return cls(still_here=ending is interrupted.Ending.HERE)


def begin(driver: Any, instance: Any) -> None:
    """A revert has ended the guest at the destination; it was restored there.

    Where the checkpoint that was kept here fits its disks, that is all that
    there is of it again, whatever fails from now on.  Saved with whatever is
    saved next.
    """
    move = Move.of(instance.system_metadata)
    if move is None or move.state is not State.RESTORED:
        return
    known = driver.checkpoints.journal(instance.uuid, move.migration)
    if known and move.disks is Disks.KEPT and not move.in_place:
        move.with_state(State.SAVED).store(instance.system_metadata)


def pending(driver: Any, instance: Any) -> Journal | None:
    """The journal of a checkpoint here that its guest has yet to go on from.

    Of a guest that was saved and has run nowhere since, because neither host
    could start it; None for any other.  One that was restored and is paused
    has not run either: its checkpoint would be spent.

    :raises Exception: when libvirt has to be asked and does not say.
    """
    journal = _unused(driver, instance)
    if journal is None:
        return _saved_unseen(driver, instance)
    has_not_run = driver.is_gone(instance) or driver.stands_still(instance)
    return journal if has_not_run else None


def boots(driver: Any, context: Any, instance: Any) -> None:
    """The guest is about to boot from its disks: its state is given up.

    Whatever boots it: a rescue, the end of one, a reboot of a guest that was
    not taken for one with a state.  From then on the disks know more than
    any checkpoint of before.  One that has moved is another matter: a revert
    takes it back to files that it has not seen since.

    :raises Exception: when that cannot be written down.
    """
    move = Move.of(instance.system_metadata)
    if move is None or move.state in _NOTHING_SAVED:
        return
    if move.state is State.OPEN and _unused(driver, instance) is None:
        return
    LOG.warning(
        'The guest boots from its disks, and its state in the checkpoint is '
        'given up',
        instance=instance,
    )
    over(driver, context, instance, State.NONE)


@contextlib.contextmanager
def keeping(driver: Any, instance: Any) -> Iterator[None]:
    """Bring a guest back in here; where that fails, its state is kept.

    Nothing of a guest that was restored and has not run is left in libvirt:
    not of an earlier attempt, whose service died, and not of this one, which
    Nova may have taken the devices from.

    :raises Kept: whatever failed.
    """
    try:
        interrupted.take_away(driver, instance)
        yield
    except Exception as error:
        try:
            interrupted.take_away(driver, instance)
        except Exception:
            # It counts as one that has not run as long as it is paused.
            LOG.exception(
                'Nobody knows what is left of the guest', instance=instance
            )
        raise kept(error) from error


def _unused(driver: Any, instance: Any) -> Journal | None:
    """The journal of a checkpoint that nobody has gone on from."""
    move = Move.of(instance.system_metadata)
    if move is None or move.state in _NOTHING_SAVED:
        return None
    image = driver.checkpoints.image(instance.uuid)
    # One that is missing here is at the destination, see second_copy.
    there = image.exists() or (
        is_brought(driver, instance)
        and not driver.checkpoints.is_spent(instance.uuid)
    )
    if not there:
        return None
    if move.state is State.HOMEWARD:
        return _brought(move)
    journal: Journal | None = driver.checkpoints.journal(
        instance.uuid, move.migration
    )
    if journal is None or journal.step in (Step.SAVING, Step.AWAITED):
        return None
    return journal


def _saved_unseen(driver: Any, instance: Any) -> Journal | None:
    """The journal of a save whose end could not be written down.

    The disk was full, say.

    :raises Exception: when libvirt has to be asked and does not say.
    """
    move = Move.of(instance.system_metadata)
    if move is None or move.state is not State.OPEN:
        return None
    journal = driver.checkpoints.journal(instance.uuid, move.migration)
    if journal is None or journal.step is not Step.SAVING:
        return None
    if not driver.is_gone(instance):
        return None
    whole = interrupted.is_whole(driver, instance)
    return dataclasses.replace(journal, step=Step.SAVED) if whole else None


def is_brought(driver: Any, instance: Any) -> bool:
    """Whether this host was sent the checkpoint, which another has as well.

    Not so of a guest that has stayed on its host, nor on any host that has
    the guest by what came after.
    """
    move = Move.of(instance.system_metadata)
    return (
        move is not None
        and move.state is State.HOMEWARD
        and not move.in_place
        and move.home == driver.get_host_ip_addr()
    )


def give_up(driver: Any, instance: Any) -> None:
    """The guest's files here are deleted, and its state with them.

    Nobody may fetch that again; saved with whatever is saved next.
    """
    if is_brought(driver, instance):
        move = Move.of(instance.system_metadata)
        if move is not None:
            move.with_state(State.NONE).store(instance.system_metadata)
    driver.checkpoints.discard(instance.uuid)


def _brought(move: Move) -> Journal:
    """Of the checkpoint that the destination took for the way home."""
    return Journal(move.migration, Step.SENT, move.digest)


def kept(error: Exception) -> Kept:
    """The error of a guest that could not be started, and what can be done."""
    reason = error
    if isinstance(error, exception.MigrationError):
        reason = error.kwargs['reason']
    # The cause last: Nova cuts a fault off where it becomes long.
    return Kept(
        reason='The guest\'s state is kept in its checkpoint. Mend the cause, '
        'then have it go on from there with "openstack server reboot --hard". '
        f'The cause: {reason}'
    )


def over(
    driver: Any, context: Any, instance: Any, state: State = State.RESTORED
) -> None:
    """The guest goes on, or its state is given up: never from this one again.

    A checkpoint that the destination took is there as well until then, since
    the one that came here may be damaged.

    :raises Exception: when that cannot be written down.
    """
    move = Move.of(instance.system_metadata)
    if move is not None:
        move.with_state(state).store(instance.system_metadata)
        instance.save()
    driver.checkpoints.discard(instance.uuid)
    if move is not None and move.state is State.HOMEWARD:
        migration = objects.Migration.get_by_uuid(context, move.migration)
        driver.peers.discard_checkpoint(
            context, migration.dest_compute, instance, move.migration
        )


def _fits(instance: Any, move: Move) -> bool:
    """Whether the guest may go on from the checkpoint that was kept here.

    On a revert only where the disks are those of the checkpoint; on the way
    back from a move that failed, always: it has run nowhere since.
    """
    has_run_elsewhere = (
        instance.task_state == task_states.RESIZE_REVERTING
        and move.state is not State.RETURNING
    )
    return move.disks is Disks.KEPT or not has_run_elsewhere
