# SPDX-License-Identifier: Apache-2.0
"""Tests of the package and of the lab.

Nova chooses between eventlet and threads once in a process, and before
anything else of it is imported: the choice is made here, as its own tests do,
for threads unless OS_NOVA_DISABLE_EVENTLET_PATCHING says otherwise.
"""

import inspect

from nova import monkey_patch

# Up to Nova 32 the environment alone chooses.
_ASKS = inspect.signature(monkey_patch.patch).parameters
monkey_patch.patch(*(["threading"] if _ASKS else []))
