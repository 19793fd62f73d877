# SPDX-License-Identifier: Apache-2.0
"""A test case that replaces what it does not test."""

from unittest import mock

from nova import test


class PatchingTestCase(test.NoDBTestCase):
    """The base of tests that put mocks in many places."""

    def patch(self, where, name, **kwargs):
        """The autospecced mock that is ``where.name`` until the test ends."""
        patcher = mock.patch.object(where, name, autospec=True, **kwargs)
        self.addCleanup(patcher.stop)
        return patcher.start()
