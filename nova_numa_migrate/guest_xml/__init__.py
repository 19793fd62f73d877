# SPDX-License-Identifier: Apache-2.0
"""The XML of a saved guest: what can be saved, what the host owns (pure)."""
