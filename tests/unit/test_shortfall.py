# SPDX-License-Identifier: Apache-2.0
"""What Placement lacks on a host, by its own answers."""

from unittest import mock

import ddt
import fixtures
from keystoneauth1 import exceptions as ks_exceptions
from nova import context
from nova import exception
from nova import objects
from nova import test
from nova.scheduler.client import report
from oslo_utils.fixture import uuidsentinel as uuids
import requests

from nova_numa_migrate import shortfall


def inventory(total, reserved=0, ratio=1.0, most=None):
    return {
        'total': total,
        'reserved': reserved,
        'allocation_ratio': ratio,
        'max_unit': total if most is None else most,
    }


@ddt.ddt
class ShortfallTestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.context = context.RequestContext('user', 'project')
        self.client = mock.create_autospec(report.SchedulerReportClient)
        self.answers = {
            'inventories': {
                'VCPU': inventory(8, ratio=2.0),
                'MEMORY_MB': inventory(4096, reserved=512),
                'DISK_GB': inventory(100),
            },
            'usages': {'VCPU': 12, 'MEMORY_MB': 1024, 'DISK_GB': 99},
        }
        self.client.get.side_effect = self.answer
        self.held = {'CUSTOM_A'}
        self.client.get_provider_traits.side_effect = lambda *_: (
            report.TraitInfo(self.held, 1)
        )

    def answer(self, url, global_request_id):
        _, _, provider, what = url.split('/')
        self.assertEqual(uuids.provider, provider)
        self.assertEqual(self.context.global_id, global_request_id)
        told = self.answers[what]
        if isinstance(told, int):
            answer = requests.Response()
            answer.status_code = told
            return answer
        answer = mock.MagicMock()
        answer.json.return_value = {what: told}
        return answer

    def reasons(self, vcpus=4, memory=2560, disk=1, traits=()):
        spec = objects.RequestSpec(
            requested_resources=[],
            image=objects.ImageMeta(properties=objects.ImageMetaProps()),
            is_bfv=False,
            flavor=objects.Flavor(
                vcpus=vcpus,
                memory_mb=memory,
                root_gb=disk,
                ephemeral_gb=0,
                swap=0,
                extra_specs={},
            ),
        )
        spec.root_required.update(traits)
        spec.root_forbidden.add('CUSTOM_NEVER')
        return shortfall.reasons(
            self.client, self.context, uuids.provider, spec
        )

    def test_what_is_just_enough_is_no_reason(self):
        self.assertEqual([], self.reasons(traits=['CUSTOM_A']))

    @ddt.data(
        ({'vcpus': 5}, 'it needs 5 VCPU, 4 free'),
        ({'memory': 2561}, 'it needs 2561 MEMORY_MB, 2560 free'),
        ({'disk': 2}, 'it needs 2 DISK_GB, 1 free'),
        ({'traits': ['CUSTOM_B']}, 'lacks the trait CUSTOM_B in Placement'),
    )
    @ddt.unpack
    def test_one_more_is_one(self, asked, words):
        (reason,) = self.reasons(**asked)
        self.assertIn(words, reason)

    def test_all_of_them_are_told(self):
        self.held = {'CUSTOM_NEVER'}
        self.assertEqual(
            [
                'it lacks the trait CUSTOM_A in Placement',
                'it has the trait CUSTOM_NEVER in Placement',
                'it needs 2 DISK_GB, 1 free',
                'it needs 5 VCPU, 4 free',
            ],
            self.reasons(vcpus=5, disk=2, traits=['CUSTOM_A']),
        )

    def test_an_overcommitted_host_has_none_free(self):
        self.answers['usages']['DISK_GB'] = 130
        self.assertEqual(['it needs 1 DISK_GB, 0 free'], self.reasons())

    def test_one_guest_may_have_no_more_than_this(self):
        self.answers['inventories']['VCPU'] = inventory(80, most=3)
        self.assertEqual(['it needs 4 VCPU, 3 free'], self.reasons())

    def test_what_is_with_another_provider_is_not_judged(self):
        del self.answers['inventories']['DISK_GB']
        self.assertEqual([], self.reasons(disk=1000))

    def test_when_placement_is_away(self):
        self.client.get_provider_traits.side_effect = (
            ks_exceptions.ConnectFailure('no route')
        )
        self.assertEqual(
            ['Placement does not answer: no route'], self.reasons()
        )

    def test_when_placement_does_not_know_the_host(self):
        self.client.get_provider_traits.side_effect = self.untold
        (reason,) = self.reasons()
        self.assertIn(
            'Placement does not tell its traits: Failed to get traits for '
            f'resource provider with UUID {uuids.provider}; ',
            reason,
        )

    @staticmethod
    def untold(_, provider):
        raise exception.ResourceProviderTraitRetrievalFailed(uuid=provider)

    @ddt.data('inventories', 'usages')
    def test_when_placement_breaks_down_meanwhile(self, what):
        self.answers[what] = 503
        self.assertEqual(
            [
                'it lacks the trait CUSTOM_B in Placement',
                f'Placement does not tell its {what}: HTTP 503',
            ],
            self.reasons(traits=['CUSTOM_B']),
        )

    def test_one_that_cannot_be_judged_hides_no_other(self):
        log = self.useFixture(fixtures.FakeLogger())
        broken = {'p1': report.TraitInfo(None, 1)}
        self.client.get_provider_traits.side_effect = lambda asked, provider: (
            broken.get(provider) or self.untold(asked, provider)
        )
        hosts = {'p1': 'compute1', 'p2': 'compute2'}
        spec = objects.RequestSpec()
        found = dict(
            shortfall.of_hosts(self.client, self.context, hosts, spec)
        )
        self.assertIn('it could not be judged: TypeError', found['p1'][0])
        self.assertIn('Provider p1 could not be judged', log.output)
        self.assertIn('with UUID p2', found['p2'][0])

    def test_only_the_first_hosts_are_looked_at(self):
        spec, looked_at = mock.sentinel.spec, []

        def reasons(client, request, provider, asked):
            self.assertIs(spec, asked)
            looked_at.append(provider)
            return ['one', 'two'] if provider == 'p1' else []

        hosts = {f'p{n}': f'compute{n}' for n in (4, 3, 2, 1)}
        with mock.patch.object(shortfall, 'reasons', reasons):
            found = dict(
                shortfall.of_hosts(self.client, self.context, hosts, spec)
            )
        self.assertEqual(['p1', 'p2', 'p3'], looked_at)
        told = 'host compute1 has room on the nodes, but one'
        self.assertEqual([told, 'two'], found['p1'])
        for provider in ('p2', 'p4'):
            self.assertIn(shortfall.UNKNOWN, found[provider][0])
