# SPDX-License-Identifier: GPL-2.0-only
"""Functions of the project itself, written in Python, that run as machine code."""
