# SPDX-License-Identifier: Apache-2.0
"""Tell a new Keystone who the services are and where they answer."""

import typing

import openstack.connection
from openstack.identity.v3 import _proxy
from openstack.identity.v3 import project as sdk_project
from openstack.identity.v3 import role as sdk_role

from lab.control import wsgi
from lab.frame import identity

#: Service, type in the catalogue, address.
Service = tuple[str, str, str]
_SERVICES: tuple[Service, ...] = (
    ("glance", "image", wsgi.GLANCE.url),
    ("neutron", "network", wsgi.NEUTRON.url),
    ("nova", "compute", f"{wsgi.NOVA.url}/v2.1"),
    ("placement", "placement", wsgi.PLACEMENT.url),
)
_ROLES = ("admin", "service")


def seed(
    cloud: openstack.connection.Connection,
    services: tuple[Service, ...] = _SERVICES,
) -> None:
    """Create users, roles, services and endpoints that are missing.

    :param services: those that there are to be
    """
    # The connection may be of either version; the lab's Keystone has one.
    keystone = typing.cast("_proxy.Proxy", cloud.identity)
    project = keystone.find_project("service") or keystone.create_project(
        name="service", domain_id="default"
    )
    roles = [
        keystone.find_role(name) or keystone.create_role(name=name)
        for name in _ROLES
    ]
    for name, kind, url in services:
        _add_user(keystone, name, project, roles)
        _add_endpoint(keystone, name, kind, url)
    # The next token has them in its catalogue.
    cloud.session.invalidate()


def withdraw(cloud: openstack.connection.Connection, name: str) -> None:
    """Take a service and its endpoints out of the catalogue."""
    keystone = typing.cast("_proxy.Proxy", cloud.identity)
    service = keystone.find_service(name)
    if service is not None:
        keystone.delete_service(service)
    # The next token has no such service in its catalogue.
    cloud.session.invalidate()


def _add_user(
    keystone: _proxy.Proxy,
    name: str,
    project: sdk_project.Project,
    roles: list[sdk_role.Role],
) -> None:
    user = keystone.find_user(name) or keystone.create_user(
        name=name,
        password=identity.SERVICE_PASSWORD,
        domain_id="default",
        default_project_id=project.id,
    )
    for role in roles:
        keystone.assign_project_role_to_user(project, user, role)


def _add_endpoint(
    keystone: _proxy.Proxy, name: str, kind: str, url: str
) -> None:
    service = keystone.find_service(name)
    if service is not None:
        return
    service = keystone.create_service(name=name, type=kind)
    for interface in ("public", "internal"):
        keystone.create_endpoint(
            service_id=service.id,
            interface=interface,
            region_id=identity.REGION,
            url=url,
        )
