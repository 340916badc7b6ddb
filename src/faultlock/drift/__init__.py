# SPDX-License-Identifier: GPL-2.0-only
"""Has the kernel moved away from what the model cites?"""
