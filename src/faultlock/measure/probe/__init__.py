# SPDX-License-Identifier: GPL-2.0-only
"""Black-box facts about a kernel, and which shipped policy it behaves like. See `facts.py`."""
