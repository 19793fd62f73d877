# SPDX-License-Identifier: Apache-2.0
"""What the plugin adds to Nova's libvirt driver."""
