# SPDX-License-Identifier: Apache-2.0
"""The lab's two compute hosts: virtual machines with four NUMA nodes each.

``image`` builds the disk that both start from, ``machine`` starts, saves
and stops them, ``deploy`` puts the checkout's plugin on a running one.
"""
