# SPDX-License-Identifier: Apache-2.0
"""JSON schemas of the API, one resource a module."""
