# SPDX-License-Identifier: Apache-2.0
"""Configuration: one group, registered on the ConfigOpts that is given."""
