# SPDX-License-Identifier: GPL-2.0-only
"""Workload files: what runs beside what. Start with `schema.py`."""

from faultlock.workload.library import load, loads, override, overrides, shipped_names
from faultlock.workload.read import WorkloadError
from faultlock.workload.schema import Workload

__all__ = ["Workload", "WorkloadError", "load", "loads", "override", "overrides", "shipped_names"]
