# SPDX-License-Identifier: Apache-2.0
"""What the package's rooms may import, seen in a fresh interpreter."""

import json
import pkgutil
import subprocess
import sys

import testtools

from nova_numa_migrate import client

SHOW = 'import json, sys; {}; print(json.dumps(sorted(sys.modules)))'


def modules_after(statement: str) -> set[str]:
    """Names of the top-level packages loaded after a statement."""
    run = subprocess.run(
        [sys.executable, '-c', SHOW.format(statement)],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(run.stdout))


class ImportsTestCase(testtools.TestCase):
    def test_the_client_loads_nothing_of_nova_or_libvirt(self):
        names = [
            module.name
            for module in pkgutil.walk_packages(
                client.__path__, 'nova_numa_migrate.client.'
            )
        ]
        self.assertIn('nova_numa_migrate.client.migrate_hook', names)
        loaded = modules_after('import ' + ', '.join(names))
        tops = {name.partition('.')[0] for name in loaded}
        self.assertEqual(set(), tops & {'nova', 'libvirt', 'eventlet'})

    def test_the_package_itself_loads_nothing_at_all(self):
        # Nova chooses between eventlet and threads before anything else.
        own = modules_after('import nova_numa_migrate')
        self.assertEqual({'nova_numa_migrate'}, own - modules_after('pass'))
