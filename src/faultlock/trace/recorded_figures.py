# SPDX-License-Identifier: GPL-2.0-only
"""The figures of a recording that a replay is held against."""

from __future__ import annotations

import polars as pl

from faultlock.trace.recorded_device import Reads
from faultlock.trace.recording import FAULT, GUP, READ, Recording


def recorded_figures(recording: Recording, missed: int) -> tuple[dict[str, float], Reads]:
    """The five figures of a self-check, and every read: when, pages, place of its page, wait.

    missed: how often filemap_fault found no folio.
    """
    operations = recording.operations
    faults = operations.filter(pl.col("kind").is_in([FAULT, GUP]))
    # Pages that appear in the page cache without readahead were written, not read.
    reads = operations.filter((pl.col("kind") != READ) | (pl.col("windows") > 0))
    figures = {
        "filemap_faults": float(faults["filemap_faults"].sum()),
        "major_faults": float(missed),
        "pages_read": float(reads["pages_added"].sum()),
        "blocked_s": float(faults["blocked_ns"].sum()) / 1e9,
        "elapsed_s": recording.elapsed_ns / 1e9,
    }
    reads = reads.filter(pl.col("pages_added") > 0).sort("start_ns")
    return figures, reads.select("start_ns", "pages_added", "position", "blocked_ns").rows()
