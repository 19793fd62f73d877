# SPDX-License-Identifier: Apache-2.0
"""What is installed, built and generated from the checkout."""

import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile

import testtools

from tests.unit import sources

DISTRIBUTION = 'nova-numa-migrate'
SPDX = '# SPDX-License-Identifier: Apache-2.0'


def pyproject():
    return tomllib.loads((sources.ROOT / 'pyproject.toml').read_text())


def requirements(name):
    """Requirements of a file, without comments."""
    lines = (sources.ROOT / name).read_text().splitlines()
    stripped = [line.partition('#')[0].strip() for line in lines]
    return [line for line in stripped if line]


class MetadataTestCase(testtools.TestCase):
    def test_every_entry_point_loads(self):
        distribution = importlib.metadata.distribution(DISTRIBUTION)
        installed = {
            (point.group, point.name): point
            for point in distribution.entry_points
        }
        project = pyproject()['project']
        declared = {**project['entry-points']}
        declared['console_scripts'] = project['scripts']
        self.assertEqual(
            {
                (group, name): value
                for group, points in declared.items()
                for name, value in points.items()
            },
            {key: point.value for key, point in installed.items()},
            'the installed metadata is stale: run tools/venv test',
        )
        for point in installed.values():
            self.assertTrue(callable(point.load()), point)

    def test_the_bare_install_brings_nothing_of_the_server(self):
        extras = pyproject()['project']['optional-dependencies']
        names = {
            re.split(r'[<>=!~ ]', line)[0].lower()
            for line in requirements('requirements.txt')
        }
        self.assertIn('python-openstackclient', names)
        for name in ('nova', 'lxml', 'libvirt-python', 'oslo.messaging'):
            self.assertNotIn(name, names)
        self.assertIn('nova>=32.0.0,<35', extras['server'])

    def test_the_tests_run_on_the_releases_of_nova_supported(self):
        extras = pyproject()['project']['optional-dependencies']
        [supported] = [x for x in extras['server'] if x.startswith('nova')]
        self.assertIn(supported, requirements('test-requirements.txt'))


class SourcesTestCase(testtools.TestCase):
    def test_every_source_names_its_licence_first(self):
        bare = []
        for name in sources.files():
            lines = (sources.ROOT / name).read_bytes().splitlines()[:2]
            head = [line.decode(errors='replace') for line in lines]
            script = bool(head) and head[0].startswith('#!')
            if script or name.suffix in ('.py', '.sh'):
                if SPDX not in head[: 1 + script]:
                    bare.append(str(name))
        self.assertEqual([], bare)


class BuildTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def test_a_wheel_of_a_copy_without_git(self):
        copy = self.directory / 'copy'
        for name in sources.files():
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(sources.ROOT / name, target)
        subprocess.run(
            [
                sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps',
                '--no-index', '--no-build-isolation', '--wheel-dir',
                self.directory, copy,
            ],
            env={**os.environ, 'PBR_VERSION': '1.2.3'},
            check=True,
        )  # fmt: skip
        [wheel] = self.directory.glob('nova_numa_migrate-1.2.3-*.whl')
        names = zipfile.ZipFile(wheel).namelist()
        inside = {name for name in names if '.dist-info/' not in name}
        expected = {
            str(name) for name in sources.files(f'{sources.PACKAGE}/*')
        }
        data = 'nova_numa_migrate-1.2.3.data/data'
        etc = {f'{data}/{name}' for name in sources.files('etc/*')}
        self.assertEqual(expected | etc, inside)
