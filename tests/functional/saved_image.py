# SPDX-License-Identifier: Apache-2.0
"""A guest's memory, and the file that a save puts it into."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Self
import uuid

from nova.tests.fixtures import libvirt as fakelibvirt

from tests.functional import libvirt_errors


@dataclasses.dataclass
class GuestMemory:
    """What a running guest would lose if it were stopped.

    ``boot_id`` is new at every boot; ``counter`` goes on at every look.
    """

    boot_id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)
    counter: int = 0

    def tick(self) -> int:
        """Let the guest run for a while; where its counter is then."""
        self.counter += 1
        return self.counter


@dataclasses.dataclass(frozen=True)
class SavedImage:
    """The content of a file that virDomainSave wrote."""

    xml: str
    memory: GuestMemory

    def write(self, path: str) -> None:
        """Write it as libvirt does: for its owner alone, from the start."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise libvirt_errors.error(
                f"Failed to open file '{path}': {error.strerror}",
                fakelibvirt.VIR_ERR_OPERATION_FAILED,
            ) from error
        with os.fdopen(descriptor, 'w') as file:
            json.dump(dataclasses.asdict(self), file)

    @classmethod
    def read(cls, path: str) -> Self:
        """Read it, or refuse it as libvirt does."""
        try:
            with open(path) as file:
                stored = json.load(file)
        except OSError as error:
            raise libvirt_errors.error(
                f"Failed to open file '{path}': {error.strerror}",
                fakelibvirt.VIR_ERR_OPERATION_FAILED,
            ) from error
        except ValueError as error:
            raise libvirt_errors.error(
                'operation failed: save image is incomplete',
                fakelibvirt.VIR_ERR_OPERATION_FAILED,
            ) from error
        return cls(stored['xml'], GuestMemory(**stored['memory']))
