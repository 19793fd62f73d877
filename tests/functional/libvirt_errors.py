# SPDX-License-Identifier: Apache-2.0
"""Errors of libvirt's, in its words."""

from __future__ import annotations

from nova.tests.fixtures import libvirt as fakelibvirt


def error(text: str, code: int) -> Exception:
    made: Exception = fakelibvirt.make_libvirtError(
        fakelibvirt.libvirtError,
        text,
        error_code=code,
        error_domain=fakelibvirt.VIR_FROM_QEMU,
        error_message=text,
    )
    return made


def unsupported(text: str) -> Exception:
    return error(
        f'unsupported configuration: {text}',
        fakelibvirt.VIR_ERR_CONFIG_UNSUPPORTED,
    )


def unreachable(uri: str) -> Exception:
    """What a live migration to a host that does not answer ends with."""
    return error(
        f"unable to connect to server at '{uri}': Connection refused",
        fakelibvirt.VIR_ERR_OPERATION_FAILED,
    )
