# SPDX-License-Identifier: GPL-2.0-only
"""Stepping through the states of a scenario by hand, in a browser."""
