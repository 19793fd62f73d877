# SPDX-License-Identifier: Apache-2.0
"""What the API's answers look like, one resource a module."""
