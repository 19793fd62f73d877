# SPDX-License-Identifier: Apache-2.0
"""Tests of single modules, with nothing running around them."""

import hypothesis

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile(
    'unit',
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile('unit')
