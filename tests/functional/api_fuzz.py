# SPDX-License-Identifier: Apache-2.0
"""Requests to our routes made of their OpenAPI document, right and wrong.

Half of them are as the document says, half are not.  Ids and hosts that there
are, and hints that mean something, are mixed in: what is made of a schema
alone is refused at the door.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

import hypothesis
from hypothesis import strategies as st
import schemathesis
from schemathesis import checks
from schemathesis.specs.openapi import checks as documented

from nova_numa_migrate.api import openapi
from nova_numa_migrate.api.schemas import migrate_plan
from nova_numa_migrate.api.schemas import migrate_server
from nova_numa_migrate.hint import CheckpointMode

#: Any answer to a request that is not of the form, from below our code.
_BEFORE_US = (405, 406, 411, 413, 415)

_ACTIONS = ('migrate', migrate_plan.ACTION)
_HINTS = migrate_server.HINTS
_MODES = st.sampled_from(list(CheckpointMode))
# Of node maps for one cell, for two, and for none of the servers.
_MAPS = st.sampled_from(
    ['1', '3', '0:2', '2,3', '0:3,1:2', '1,1', '4', '0,1,2']
)


@dataclasses.dataclass
class Fuzz:
    """A cloud to ask, and what there is in it.

    ``counts`` are of answers, by operation and status.
    """

    url: str
    headers: Mapping[str, str]
    servers: Sequence[str]
    hosts: Sequence[str]
    counts: collections.Counter[tuple[str, int]] = dataclasses.field(
        default_factory=collections.Counter
    )

    def run(self, examples: int) -> None:
        """Ask so many times of each operation, right and wrong.

        :raises AssertionError: for an answer that is an error of ours, or not
            as the document has it.
        """
        document: Any = schemathesis.openapi.from_dict(openapi.document())
        for found in document.get_all_operations():
            operation = found.ok()
            for mode in schemathesis.GenerationMode:
                self._ask(operation, mode, examples)

    def _ask(self, operation: Any, mode: Any, examples: int) -> None:
        @hypothesis.settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate],
        )
        @hypothesis.given(self._cases(operation, mode), _MAPS, st.data())
        def ask(case: Any, hint: str, data: st.DataObject) -> None:
            if data.draw(st.booleans()):
                self._bring_to_life(case, hint, data)
            self._judge(operation.label, case)

        ask()

    def _cases(self, operation: Any, mode: Any) -> Any:
        known = {'server_id': self.servers, 'host': self.hosts}
        strategies = [operation.as_strategy(mode)]
        for name, values in known.items():
            if f'{{{name}}}' in operation.path:
                strategies += [
                    operation.as_strategy(mode, path_parameters={name: value})
                    for value in values
                ]
        return st.one_of(strategies)

    def _bring_to_life(
        self, case: Any, hint: str, data: st.DataObject
    ) -> None:
        """Put in what means something where the case has a place for it."""
        if case.method != 'POST':
            return
        if data.draw(st.booleans()):
            case.body = {data.draw(st.sampled_from(_ACTIONS)): {_HINTS: {}}}
        body = case.body if isinstance(case.body, dict) else {}
        for action in _ACTIONS:
            request = body.get(action)
            if not isinstance(request, dict):
                continue
            request['host'] = data.draw(st.sampled_from([None, *self.hosts]))
            hints = request.get(_HINTS)
            if isinstance(hints, dict):
                hints['numa_node'] = hint
                hints['numa_checkpoint'] = data.draw(_MODES)

    def _judge(self, label: str, case: Any) -> None:
        answer = case.call(base_url=self.url, headers=dict(self.headers))
        self.counts[label, answer.status_code] += 1
        asked: list[Any] = [checks.not_a_server_error]
        if answer.status_code not in _BEFORE_US:
            asked += [
                documented.status_code_conformance,
                documented.response_schema_conformance,
            ]
        case.validate_response(answer, checks=asked)
