# SPDX-License-Identifier: Apache-2.0
"""The lab: a real cloud with two four-node compute hosts on one machine.

``lab/up`` builds and starts it, ``lab/demo`` proves a move in it,
``lab/down`` takes it away. ``frame`` holds what every part uses,
``control`` the control plane, ``hosts`` the two compute hosts, ``guest``
what runs in the servers. ``proof`` is the demonstration, ``damage`` the
fault matrix that ``lab/faults`` plays, ``trial`` what ``lab/trials`` shows.
"""
