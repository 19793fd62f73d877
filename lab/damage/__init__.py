# SPDX-License-Identifier: Apache-2.0
"""The fault matrix: break each part of the cloud in each step of a move.

``table`` says what is broken when and what must come out of it, ``faults``
breaks and heals, ``saboteur`` does it on a host in the very moment. ``row``
plays one row; ``history`` and ``leftovers`` judge what the guest said and
what the cloud still holds. Nothing here asks the plugin what it did.
"""
