# SPDX-License-Identifier: Apache-2.0
"""Where guest cells may go, and where their pages are (pure)."""
