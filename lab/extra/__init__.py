# SPDX-License-Identifier: Apache-2.0
"""Parts of a cloud that single trials need, and ``lab/up`` does not start.

Each is a context manager: it is there within it, and gone after.
"""
