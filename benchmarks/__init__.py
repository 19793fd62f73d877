# SPDX-License-Identifier: Apache-2.0
"""What is claimed of speed, memory and exactness, measured."""
