# SPDX-License-Identifier: Apache-2.0
"""Tests of the package and of the lab.

Nova chooses between eventlet and threads once in a process, and before
anything else of it is imported: the choice is made here, as its own tests do,
for threads unless OS_NOVA_DISABLE_EVENTLET_PATCHING says otherwise.
"""

from nova import monkey_patch

monkey_patch.patch("threading")
