# SPDX-License-Identifier: Apache-2.0
"""Trials: one promise each, shown on the lab's own cloud.

A trial is a module with ``run(stage)``, which asks for what it needs, claims
what must be true in the stage's verdict, and leaves the cloud as it found it.
``table`` names them all; ``lab/trials NAME`` plays one.
"""
