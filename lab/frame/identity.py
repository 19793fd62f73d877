# SPDX-License-Identifier: Apache-2.0
"""Who logs in where in the lab's cloud.

The passwords are fixed and known: nothing of the lab listens outside its
own network namespace, and a snapshot stays valid from day to day.
"""

from lab.frame import paths as lab_paths

ADMIN = "admin"
ADMIN_PASSWORD = "admin"  # noqa: S105
SERVICE_PASSWORD = "secret"  # noqa: S105
RABBIT_USER = "openstack"
RABBIT_PASSWORD = "openstack"  # noqa: S105
REGION = "RegionOne"
# What the openstack client and the SDK ask of Nova unless told otherwise.
COMPUTE_API_VERSION = "2.96"


def auth_url() -> str:
    """Keystone's version 3 address."""
    return (
        f"http://{lab_paths.CONTROL_ADDRESS}:{lab_paths.PORTS['keystone']}/v3"
    )


def transport_url() -> str:
    """RabbitMQ's address as oslo.messaging takes it."""
    return (
        f"rabbit://{RABBIT_USER}:{RABBIT_PASSWORD}"
        f"@{lab_paths.CONTROL_ADDRESS}:{lab_paths.PORTS['rabbit']}/"
    )


def credentials(user: str) -> str:
    """Lines of a configuration section by which a service logs in.

    :param user: the service's user, as ``nova``
    """
    return "\n".join(
        (
            f"auth_url = {auth_url()}",
            "auth_type = password",
            f"username = {user}",
            f"password = {SERVICE_PASSWORD}",
            "project_name = service",
            "user_domain_id = default",
            "project_domain_id = default",
            f"region_name = {REGION}",
        )
    )


def client_environment() -> dict[str, str]:
    """Variables by which the ``openstack`` client is the administrator."""
    return {
        "OS_AUTH_URL": auth_url(),
        "OS_USERNAME": ADMIN,
        "OS_PASSWORD": ADMIN_PASSWORD,
        "OS_PROJECT_NAME": ADMIN,
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_REGION_NAME": REGION,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_COMPUTE_API_VERSION": COMPUTE_API_VERSION,
    }
