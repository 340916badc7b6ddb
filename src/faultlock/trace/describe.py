# SPDX-License-Identifier: GPL-2.0-only
"""What a recording holds, in numbers: the data behind `faultlock info`.

All times in the result are seconds (`_s`) or microseconds (`_us`); names come from the recording
and must be escaped before they are shown.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from faultlock.trace.events import device_text
from faultlock.trace.gaps import gaps, readahead_pages
from faultlock.trace.lock_waits import LockWaits
from faultlock.trace.reconstruct import reconstruct
from faultlock.trace.recording import FAULT, READ, SLEEP, TAKEN, Recording
from faultlock.trace.store import Trace

_FORK_CALLS = ("clone", "clone3", "fork", "vfork")
CLONE_VM = 0x100


def describe(trace: Trace, top: int = 10) -> dict[str, Any]:
    """Counts and times of a recording; lists hold at most `top` entries (0: all)."""
    locks = LockWaits()
    recording = reconstruct(trace, locks.observe)
    operations = recording.operations.with_columns(
        (pl.col("end_ns") - pl.col("start_ns")).alias("duration_ns"), _fault_kind().alias("class")
    )
    header = trace.header
    return {
        "recording": {
            "source": header.source,
            "kernel_version": header.kernel_version,
            "cpu_count": header.cpu_count,
            "readahead_pages": readahead_pages(trace),
            "page_cache_dropped": header.page_cache_dropped,
            "command": header.command,
            "events": trace.event_count,
            "lost_events": header.lost_events,
            "elapsed_s": recording.elapsed_ns / 1e9,
            "gaps": gaps(trace),
        },
        "totals": _totals(recording, operations),
        "threads": _threads(recording, operations, top),
        "fault_kinds": _fault_kinds(operations),
        "files": _files(recording, operations, top),
        "calls": _calls(operations),
        "forks": _forks(recording, operations, top),
        "waits": _waits(operations),
        "mmap_lock": _mmap_lock(locks),
        "chains": _chains(recording, locks, top),
    }


def _fault_kind() -> pl.Expr:
    """One word for what a fault was about."""
    on_file = pl.col("file") >= 0
    return (
        pl.when(~on_file & pl.col("present"))
        .then(pl.lit("write to a mapped page"))
        .when(~on_file)
        .then(pl.lit("anonymous"))
        .when(pl.col("missed"))
        .then(pl.lit("file, missed"))
        .when(pl.col("filemap_faults") == 0)
        .then(pl.lit("file, mapped around"))
        .when(pl.col("blocked_ns") > 0)
        .then(pl.lit("file, found, waited"))
        .otherwise(pl.lit("file, found"))
    )


def _limited(frame: pl.DataFrame, top: int) -> list[dict[str, Any]]:
    return (frame.head(top) if top else frame).to_dicts()


def _totals(recording: Recording, operations: pl.DataFrame) -> dict[str, Any]:
    faults = operations.filter(pl.col("kind") == FAULT)
    return {
        "threads": len(recording.threads),
        "processes": len({thread.process for thread in recording.threads}),
        "address_spaces": len(recording.mms),
        "mappings": len(recording.vmas),
        "mappings_inferred": sum(vma.inferred for vma in recording.vmas),
        "files": len(recording.files),
        "open_files": len(recording.open_files) - len(recording.joined_open_files),
        "faults": len(faults),
        "filemap_faults": int(faults["filemap_faults"].sum()),
        "missed_faults": int(faults["missed"].sum()),
        "pages_read": int(operations["pages_added"].sum()),
        "blocked_in_faults_s": int(faults["blocked_ns"].sum()) / 1e9,
        "compute_s": int(operations["compute_ns"].sum()) / 1e9,
    }


def _threads(recording: Recording, operations: pl.DataFrame, top: int) -> list[dict[str, Any]]:
    fault = pl.col("kind") == FAULT
    table = (
        operations.group_by("thread")
        .agg(
            fault.sum().alias("faults"),
            (fault & pl.col("missed")).sum().alias("missed"),
            (pl.col("blocked_ns").filter(fault).sum() / 1e9).alias("blocked_in_faults_s"),
            (pl.col("compute_ns").sum() / 1e9).alias("compute_s"),
        )
        .sort("faults", "thread", descending=[True, False])
    )
    rows = _limited(table, top)
    for row in rows:
        thread = recording.threads[row.pop("thread")]
        row.update(name=thread.name, tid=thread.tid, process=thread.process)
    return rows


def _fault_kinds(operations: pl.DataFrame) -> list[dict[str, Any]]:
    faults = operations.filter(pl.col("kind") == FAULT)
    return (
        faults.group_by(pl.col("class").alias("kind"))
        .agg(
            pl.len().alias("faults"),
            pl.col("kernel").sum().alias("in_kernel_mode"),
            pl.col("write").sum().alias("writes"),
            (pl.col("blocked_ns").sum() / 1e9).alias("blocked_s"),
            (pl.col("blocked_ns").max() / 1e3).alias("blocked_us_max"),
        )
        .sort("faults", "kind", descending=[True, False])
        .to_dicts()
    )


def _files(recording: Recording, operations: pl.DataFrame, top: int) -> list[dict[str, Any]]:
    fault = pl.col("kind") == FAULT
    table = (
        operations.filter((pl.col("file") >= 0) & pl.col("kind").is_in([FAULT, READ, "gup"]))
        .group_by("file")
        .agg(
            fault.sum().alias("faults"),
            pl.col("filemap_faults").sum(),
            (fault & pl.col("missed")).sum().alias("missed"),
            pl.col("pages_added").sum().alias("pages_read"),
            (pl.col("blocked_ns").filter(fault).sum() / 1e9).alias("blocked_in_faults_s"),
        )
        .sort("blocked_in_faults_s", "faults", "file", descending=[True, True, False])
    )
    rows = _limited(table, top)
    for row in rows:
        file = recording.files[row.pop("file")]
        row.update(device=device_text(file.dev), inode=file.ino, pages=file.pages, path=file.path)
    return rows


def _calls(operations: pl.DataFrame) -> list[dict[str, Any]]:
    fault_like = [FAULT, READ, SLEEP, TAKEN, "gup", "exec", "exit"]
    return (
        operations.filter(~pl.col("kind").is_in(fault_like))
        .group_by(pl.col("kind").alias("call"))
        .agg(
            pl.len().alias("calls"),
            (pl.col("result").is_between(-4095, -1)).sum().alias("failed"),
            (pl.col("duration_ns").median() / 1e3).alias("us_p50"),
            (pl.col("duration_ns").quantile(0.99, "nearest") / 1e3).alias("us_p99"),
            (pl.col("lock_wait_ns").max() / 1e3).alias("lock_wait_us_max"),
        )
        .sort("calls", "call", descending=[True, False])
        .to_dicts()
    )


def _forks(recording: Recording, operations: pl.DataFrame, top: int) -> list[dict[str, Any]]:
    """New processes (not threads): who, when, how long the call took."""
    forks = operations.filter(
        pl.col("kind").is_in(_FORK_CALLS)
        & (pl.col("child") >= 0)
        & ((pl.col("flags") & CLONE_VM == 0) | (pl.col("kind") == "vfork"))
    )
    rows = []
    for row in forks.iter_rows(named=True):
        thread = recording.threads[row["thread"]]
        peers = sum(other.mm == thread.mm for other in recording.threads)
        rows.append(
            {
                "name": thread.name,
                "tid": thread.tid,
                "call": row["kind"],
                "at_s": (row["start_ns"] - recording.start_ns) / 1e9,
                "us": row["duration_ns"] / 1e3,
                "lock_wait_us": row["lock_wait_ns"] / 1e3,
                "threads_of_parent": peers,
            }
        )
    rows.sort(key=lambda row: -row["us"])
    return rows[:top] if top else rows


def _waits(operations: pl.DataFrame) -> list[dict[str, Any]]:
    """Where threads slept: in faults, reads, calls, or (state S, D) outside of them."""
    whole = pl.col("kind").is_in([SLEEP, TAKEN])
    slept = pl.when(whole).then(pl.col("duration_ns")).otherwise(pl.col("blocked_ns"))
    name = (
        pl.when(pl.col("kind") == SLEEP)
        .then(pl.concat_str(pl.lit("sleep, state "), pl.col("state")))
        .when(pl.col("kind") == TAKEN)
        .then(pl.lit("others had the CPU"))
        .otherwise(pl.col("kind"))
    )
    return (
        operations.with_columns(slept.alias("slept_ns"), name.alias("in"))
        .filter(pl.col("slept_ns") > 0)
        .group_by("in")
        .agg(
            pl.len().alias("waits"),
            (pl.col("slept_ns").sum() / 1e9).alias("total_s"),
            (pl.col("slept_ns").median() / 1e3).alias("us_p50"),
            (pl.col("slept_ns").quantile(0.99, "nearest") / 1e3).alias("us_p99"),
            (pl.col("slept_ns").max() / 1e3).alias("us_max"),
        )
        .sort("total_s", "in", descending=[True, False])
        .to_dicts()
    )


def _mmap_lock(locks: LockWaits) -> list[dict[str, Any]]:
    return [
        {
            "mode": "write" if write else "read",
            "acquisitions": locks.acquisitions[write],
            "held_s": locks.held_ns[write] / 1e9,
            "longest_held_us": locks.longest_held_ns[write] / 1e3,
            "notable_waits": sum(wait.write is write for wait in locks.waits),
            "waited_us": sum(w.wait_ns for w in locks.waits if w.write is write) / 1e3,
        }
        for write in (False, True)
    ]


def _chains(recording: Recording, locks: LockWaits, top: int) -> list[dict[str, Any]]:
    waits = sorted(locks.waits, key=lambda wait: -wait.wait_ns)
    rows = []
    for wait in waits[:top] if top else waits:
        links = [
            {
                "name": recording.threads[link.thread].name,
                "tid": recording.threads[link.thread].tid,
                "doing": link.doing,
                "waits_for": link.waits_for,
                "us": link.overlap_ns / 1e3,
            }
            for link in locks.chain(wait)
        ]
        at_s = (wait.start_ns - recording.start_ns) / 1e9
        rows.append({"at_s": at_s, "us": wait.wait_ns / 1e3, "links": links})
    return rows
