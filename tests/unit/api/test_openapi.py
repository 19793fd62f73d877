# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document: of all our routes, and what the code has."""

import os
import pathlib

import jsonschema  # type: ignore[import-untyped,unused-ignore]
from nova import test

from nova_numa_migrate.api import openapi
from nova_numa_migrate.api import router
from tests.unit import sources

FILE = pathlib.Path(sources.ROOT, 'doc', 'source', 'api', 'openapi.json')


def schemas(part):
    """Each schema within a part of the document."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == 'schema':
                yield value
            else:
                yield from schemas(value)
    elif isinstance(part, list):
        for value in part:
            yield from schemas(value)


class DocumentTestCase(test.NoDBTestCase):
    def test_the_file_is_what_the_code_has(self):
        """``REGENERATE=1`` writes it anew."""
        if os.environ.get('REGENERATE'):
            FILE.write_text(openapi.text())
        self.assertEqual(FILE.read_text(), openapi.text())

    def test_every_route_is_in_it(self):
        paths = openapi.document()['paths']
        served = {
            (path, method.lower())
            for path, methods in router._ROUTES
            for method in methods
        }
        told = {
            (path, method) for path, item in paths.items() for method in item
        }
        self.assertEqual(told, served | {(openapi.ACTION_PATH, 'post')})

    def test_every_schema_is_one(self):
        found = list(schemas(openapi.document()))
        self.assertGreater(len(found), 10)
        for schema in found:
            jsonschema.Draft202012Validator.check_schema(schema)

    def test_each_path_parameter_is_named(self):
        for path, item in openapi.document()['paths'].items():
            for operation in item.values():
                named = {
                    parameter['name']
                    for parameter in operation['parameters']
                    if parameter['in'] == 'path'
                }
                there = {
                    part.strip('{}')
                    for part in path.split('/')
                    if part.startswith('{')
                }
                self.assertEqual(there, named)
