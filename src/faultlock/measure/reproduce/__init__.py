# SPDX-License-Identifier: GPL-2.0-only
"""C reproducers for the violations that user space can provoke. See `choose.py`."""
