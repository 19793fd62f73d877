# SPDX-License-Identifier: Apache-2.0
"""Console scripts; like the package, this imports nothing (see compute)."""
