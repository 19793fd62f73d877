# SPDX-License-Identifier: Apache-2.0
"""Render the control plane's configuration from its templates."""

import pathlib
import string

from lab.control import mariadb
from lab.frame import identity
from lab.frame import paths as lab_paths

_TEMPLATES = pathlib.Path(__file__).with_name("templates")
# Where each template goes below the lab's etc directory.
_FILES = {
    "glance-api.conf": "glance/glance-api.conf",
    "keystone.conf": "keystone/keystone.conf",
    "ml2_conf.ini": "neutron/plugins/ml2/ml2_conf.ini",
    "neutron.conf": "neutron/neutron.conf",
    "nova.conf": "nova/nova.conf",
    "placement.conf": "placement/placement.conf",
    "rabbitmq.conf": "rabbit/rabbitmq.conf",
}
_SERVICE_USERS = ("glance", "neutron", "nova", "placement")
_NOVA_ROUTER = "nova.api.openstack.compute:APIRouterV21.factory"
_OUR_ROUTER = "nova_numa_migrate.api.router:NumaAPIRouter.factory"


def render(paths: lab_paths.Paths) -> None:
    """Write every configuration file of the control plane."""
    values = _values(paths)
    for template, target in _FILES.items():
        text = (_TEMPLATES / template).read_text()
        _write(paths.etc / target, string.Template(text).substitute(values))
    _write(paths.etc / "nova" / "api-paste.ini", _nova_paste(paths))


def _values(paths: lab_paths.Paths) -> dict[str, str]:
    return {
        "address": lab_paths.CONTROL_ADDRESS,
        "etc": str(paths.etc),
        "state": str(paths.state),
        "venv_etc": str(paths.venv / "etc"),
        "auth_url": identity.auth_url(),
        "transport_url": identity.transport_url(),
        "rabbit_user": identity.RABBIT_USER,
        "rabbit_password": identity.RABBIT_PASSWORD,
        **{
            f"database_{name}": mariadb.url(name) for name in mariadb.DATABASES
        },
        **{
            f"credentials_{user}": identity.credentials(user)
            for user in _SERVICE_USERS
        },
    }


def _nova_paste(paths: lab_paths.Paths) -> str:
    """Nova's own paste file with the plugin's router in its place."""
    text = (paths.venv / "etc" / "nova" / "api-paste.ini").read_text()
    if _NOVA_ROUTER not in text:
        raise ValueError(f"nova's api-paste.ini does not name {_NOVA_ROUTER}")
    return text.replace(_NOVA_ROUTER, _OUR_ROUTER)


def _write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
