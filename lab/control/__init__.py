# SPDX-License-Identifier: Apache-2.0
"""The control plane: database, message bus and the OpenStack services."""
