# SPDX-License-Identifier: Apache-2.0
"""The checkpoint on disk: its file, its journal and its way to a host."""
