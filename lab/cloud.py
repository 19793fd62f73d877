# SPDX-License-Identifier: Apache-2.0
"""What the lab asks of its own cloud, through the SDK.

The caller must be in the lab's network namespace.
"""

import collections.abc
import datetime

import openstack
import openstack.connection

from lab.control import workers
from lab.frame import errors
from lab.frame import identity
from lab.frame import paths as lab_paths
from lab.frame import patience
from lab.frame import readiness

_COMPUTE = "nova-compute"


def connect() -> openstack.connection.Connection:
    """The cloud, as its administrator."""
    return openstack.connect(
        auth_url=identity.auth_url(),
        username=identity.ADMIN,
        password=identity.ADMIN_PASSWORD,
        project_name=identity.ADMIN,
        user_domain_id="default",
        project_domain_id="default",
        region_name=identity.REGION,
        compute_default_microversion=identity.COMPUTE_API_VERSION,
        # A service may close a connection just when it is used again.
        connect_retries=5,
    )


def expected_services() -> set[tuple[str, str]]:
    """Nova's services that a complete lab has, as binary and host."""
    return {(program, "control") for program in workers.PROGRAMS} | {
        (_COMPUTE, lab_paths.host_name(number))
        for number in lab_paths.HOST_NUMBERS
    }


def missing_services(since: datetime.datetime) -> set[tuple[str, str]]:
    """Nova's services that are not up or have not reported since then.

    :param since: aware time; a report before it is of an earlier life
    """
    return expected_services() - {
        (service.binary, service.host)
        for service in connect().compute.services()
        if service.state == "up" and _reported(service.updated_at) >= since
    }


def wait_services(
    paths: lab_paths.Paths,
    since: datetime.datetime,
    timeout: float,
    meanwhile: collections.abc.Callable[[], None] = lambda: None,
) -> None:
    """Wait until every service of Nova has reported.

    :param meanwhile: called again and again; what it raises ends the wait
    :raises LabError: one has not; it is named
    """
    missing = expected_services()

    def all_report() -> bool:
        nonlocal missing
        missing = missing_services(since)
        if missing:
            meanwhile()
        return not missing

    try:
        readiness.wait("reports", all_report, timeout=timeout, interval=0.5)
    except readiness.Late as error:
        binary, host = min(missing)
        remote = host in map(lab_paths.host_name, lab_paths.HOST_NUMBERS)
        raise errors.LabError(
            f"{binary} on {host} has not reported in "
            f"{patience.limit(timeout):.0f} s",
            paths.log(journal_name(host) if remote else binary),
        ) from error


def journal_name(host: str) -> str:
    """Name of the log to which a compute host's journal is copied."""
    return f"{host}-journal"


def wait_hypervisors(timeout: float) -> None:
    """Wait until Nova knows both hosts' hypervisors.

    :raises LabError: it does not
    """
    compute = connect().compute
    expected = len(lab_paths.HOST_NUMBERS)
    readiness.wait(
        "both hypervisors",
        lambda: len(list(compute.hypervisors())) == expected,
        timeout=timeout,
        interval=0.5,
    )


def _reported(text: str | None) -> datetime.datetime:
    if text is None:
        return datetime.datetime.min.replace(tzinfo=datetime.UTC)
    moment = datetime.datetime.fromisoformat(text)
    return moment.replace(tzinfo=datetime.UTC)
