# SPDX-License-Identifier: Apache-2.0
"""What can refuse a hinted migration, each with a text for the operator."""


class NumaMigrateError(Exception):
    """A hinted migration that cannot go on; the text says why."""


class NodeNotFound(NumaMigrateError):
    """No host that may take the guest has the named nodes."""


class CannotCheckpoint(NumaMigrateError):
    """The guest's state cannot be saved; the text names every blocker."""


class SharedCheckpoints(NumaMigrateError):
    """Another host has this host's directory of checkpoints."""


class PlacementSilent(NumaMigrateError):
    """Placement does not answer what nothing can be said without."""


class NotBroughtBack(NumaMigrateError):
    """The guest could not be started; its state is kept in its checkpoint."""
