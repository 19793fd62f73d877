# SPDX-License-Identifier: Apache-2.0
"""Cold migration that keeps a guest's state and names its NUMA nodes.

This module imports nothing, and must stay so: Nova decides in
``nova.monkey_patch`` whether its process runs on eventlet or on threads, and
any import made before that decision (this package is imported first by every
console script and entry point) could break it.
"""
