# SPDX-License-Identifier: Apache-2.0
"""What a guest that has not left leaves nowhere else."""

import pathlib

from oslo_utils.fixture import uuidsentinel as uuids

from nova_numa_migrate.virt import source
from tests.unit.virt import departure_base


class WithdrawTestCase(departure_base.DepartureTestCase):
    def setUp(self):
        super().setUp()
        self.flags(instances_path=str(self.root))
        self.files = self.driver._remotefs

    def withdraw(self, dest=departure_base.DEST):
        source.withdraw(self.driver, self.instance, dest)
        self.driver.transport.withdraw.assert_called_once_with(
            self.image, dest
        )

    @property
    def directory(self):
        return self.root / uuids.instance

    def test_the_other_hosts_directory_goes(self):
        self.withdraw()
        self.files.remove_dir.assert_called_once_with(
            departure_base.DEST, str(self.directory)
        )

    def test_not_one_that_is_this_hosts_as_well(self):
        self.files.create_dir.side_effect = lambda _, path: pathlib.Path(
            path
        ).mkdir()
        self.files.create_file.side_effect = lambda _, path: pathlib.Path(
            path
        ).touch()
        self.withdraw()
        self.files.remove_dir.assert_not_called()
        self.assertEqual([], list(self.directory.iterdir()))

    def test_not_without_an_answer(self):
        self.files.create_file.side_effect = departure_base.Failure
        self.failing = {'withdraw'}
        self.withdraw()
        self.files.remove_dir.assert_not_called()

    def test_not_this_host_itself(self):
        source.withdraw(self.driver, self.instance, departure_base.HOME)
        self.driver.transport.withdraw.assert_not_called()
        self.assertEqual([], self.files.mock_calls)
