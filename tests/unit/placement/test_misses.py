# SPDX-License-Identifier: Apache-2.0
"""Which of the hosts that cannot take a guest came nearest."""

import testtools

from nova_numa_migrate.placement.misses import Miss
from nova_numa_migrate.placement.misses import nearest


class NearestTestCase(testtools.TestCase):
    def test_those_that_lack_least_come_first(self):
        misses = [Miss.altogether('x'), Miss(2, 'b'), Miss(1, 'c')]
        self.assertEqual(['c', 'b', 'x'], nearest(misses, 3))

    def test_the_rest_is_counted(self):
        misses = [Miss(lacks, str(lacks)) for lacks in (3, 1, 2, 5, 4)]
        self.assertEqual(['1', '2', 'and 3 more hosts'], nearest(misses, 2))
