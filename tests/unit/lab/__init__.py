# SPDX-License-Identifier: Apache-2.0
"""Tests of the lab's own code, as far as it needs no lab."""
