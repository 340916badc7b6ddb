# SPDX-License-Identifier: GPL-2.0-only
"""Recordings by name: the shipped ones, or files."""

from __future__ import annotations

import difflib
from pathlib import Path

from faultlock.errors import FaultlockError
from faultlock.trace.store import Trace, read_trace

DATA = Path(__file__).parent / "data"


def shipped_traces() -> dict[str, Path]:
    """Names of the shipped recordings and their files."""
    return {path.stem: path for path in sorted(DATA.glob("*.flt"))}


def trace_path(name: str) -> Path:
    """The file of a recording: a shipped name or a path.

    Raises FaultlockError naming the nearest shipped recordings.
    """
    shipped = shipped_traces()
    if name in shipped:
        return shipped[name]
    path = Path(name)
    if path.exists():
        return path
    close = difflib.get_close_matches(name, shipped, n=2)
    cure = f"did you mean {' or '.join(close)}?" if close else f"shipped: {', '.join(shipped)}"
    raise FaultlockError(f"{name}: no such recording; {cure}, or give a file (.flt)")


def open_trace(name: str) -> Trace:
    """Read a shipped recording or a file."""
    return read_trace(trace_path(name))
