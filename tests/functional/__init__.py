# SPDX-License-Identifier: Apache-2.0
"""Tests on Nova's own functional fixtures: real services, a fake libvirt.

Nova's test package chooses a concurrency backend when it is imported, by the
environment alone; it is told what this process has chosen already.
"""

import contextlib
import importlib
import logging
import os

from nova import monkey_patch

os.environ.setdefault(
    'OS_NOVA_DISABLE_EVENTLET_PATCHING', str(not monkey_patch.is_patched())
)

# It reports the end of each thread pool, after the log fixture of the test.
logging.getLogger('nova.thread_pool_factory').setLevel(logging.WARNING)

# A service that is stopped shuts its process's thread pools down, for good, in
# a thread of its own: on a slow machine only after the fixture that prevents
# it is gone, and every later test of the process fails.  Nova 33 and older do
# not have it.
with contextlib.suppress(ImportError):
    factory = importlib.import_module('nova.thread_pool_factory')
    factory.shutdown_all_executors = lambda: None  # type: ignore[attr-defined]
