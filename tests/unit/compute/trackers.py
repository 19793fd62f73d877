# SPDX-License-Identifier: Apache-2.0
"""The resource tracker of a host, for the tests of what it is asked."""

from unittest import mock

from nova.virt import driver

from nova_numa_migrate.compute import tracker


def a_tracker():
    """That of compute2, whose driver does nothing."""
    return tracker.NumaResourceTracker(
        'compute2', mock.create_autospec(driver.ComputeDriver, instance=True)
    )
