# SPDX-License-Identifier: GPL-2.0-only
"""The mappings of running processes (/proc/PID/maps), where a recording begins in the middle."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from faultlock.trace.address_space import MAP_SHARED

_LINE = re.compile(
    r"^([0-9a-f]+)-([0-9a-f]+) ([r-])([w-])([x-])([ps]) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) "
    r"(\d+)\s*(.*)$"
)


def process_tree(pid: int) -> list[int]:
    """A process and its descendants that run now."""
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        for task in Path("/proc", str(current), "task").glob("*/children"):
            try:
                queue += [int(word) for word in task.read_text().split()]
            except OSError:
                continue
    return found


def threads_of(pid: int) -> list[int]:
    """The threads of a process that exist now."""
    return sorted(int(path.name) for path in Path("/proc", str(pid), "task").glob("[0-9]*"))


def snapshot(pids: list[int], time_ns: int) -> pl.DataFrame:
    """One row per mapping of the processes, with the columns of vma_snapshot and `line`."""
    rows = []
    for pid in pids:
        try:
            lines = Path("/proc", str(pid), "maps").read_text(errors="replace").splitlines()
            name = Path("/proc", str(pid), "comm").read_text(errors="replace").strip()
        except OSError:
            continue  # it ended
        rows += [row for line in lines if (row := _row(line, pid, name, time_ns)) is not None]
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    return frame.with_columns(
        pl.col("comm", "filename").cast(pl.Categorical),
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("line"),
    )


_SCHEMA = {
    "time_ns": pl.Int64,
    "cpu": pl.UInt32,
    "tid": pl.UInt32,
    "tgid": pl.UInt32,
    "comm": pl.String,
    "address": pl.UInt64,
    "length": pl.UInt64,
    "prot": pl.UInt32,
    "flags": pl.UInt64,
    "offset": pl.UInt64,
    "dev": pl.UInt32,
    "ino": pl.UInt64,
    "filename": pl.String,
}


def _row(line: str, pid: int, name: str, time_ns: int) -> tuple[int | str, ...] | None:
    match = _LINE.match(line)
    if match is None:
        return None
    start, end, read, write, execute, shared, offset, major, minor, ino, path = match.groups()
    prot = (read == "r") * 1 | (write == "w") * 2 | (execute == "x") * 4
    flags = MAP_SHARED if shared == "s" else 2
    first, dev = int(start, 16), int(major, 16) << 20 | int(minor, 16)
    where = (first, int(end, 16) - first, prot, flags, int(offset, 16), dev, int(ino), path)
    return (time_ns, 0, pid, pid, name, *where)
