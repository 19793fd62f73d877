# SPDX-License-Identifier: Apache-2.0
"""The operator's side: what joins the ``openstack`` command.

Talks to the cloud through its REST API alone and imports nothing of Nova, so
that it installs on a laptop.
"""
