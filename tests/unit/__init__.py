# SPDX-License-Identifier: Apache-2.0
"""Tests of single modules, with nothing running around them.

Nova's test package chooses a concurrency backend when it is imported, by the
environment alone; it is told what this process has chosen already.
"""

import importlib
import os

import hypothesis
from nova import monkey_patch

os.environ.setdefault(
    'OS_NOVA_DISABLE_EVENTLET_PATCHING', str(not monkey_patch.is_patched())
)

# The package imports it at its first use.  That may be in a test of Nova's
# bases, which forbid the question for the machine that numpy asks then.
importlib.import_module('scipy.optimize')

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile(
    'unit',
    deadline=None,
    # The same examples each time; the fuzzes of benchmarks take new ones.
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile('unit')
