# SPDX-License-Identifier: Apache-2.0
"""The demonstration: real moves, and the proof that each was one.

``story`` asks the cloud for moves through the ``openstack`` command.
``watch`` hears the guests' consoles and the checkpoint directories of both
hosts meanwhile, ``memory`` reads where a guest's pages are, and ``verdict``
keeps what was found untrue. Nothing here asks the plugin what it did.
"""
