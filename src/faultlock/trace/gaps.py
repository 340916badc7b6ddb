# SPDX-License-Identifier: GPL-2.0-only
"""What a recording lacks, what therefore is not known, and what stands in for it."""

from __future__ import annotations

from typing import cast

from faultlock.trace.recording import FAULT, Recording
from faultlock.trace.store import Trace

PAGE = 4096
MAX_CPUS, MAX_READAHEAD_PAGES = 1024, 1 << 16

_FAULTS = ("page_fault_user", "page_fault_kernel")
_READAHEAD = (
    *("page_cache_sync_ra", "page_cache_async_ra", "page_cache_ra_order"),
    "page_cache_ra_unbounded",
)
_INSERTION = "mm_filemap_add_to_page_cache"
_MMAP = "sys_enter_mmap"


def has_any(trace: Trace, events: tuple[str, ...]) -> bool:
    """Does the recording hold at least one of these events?"""
    return any(len(trace.table(event)) for event in events)


def gaps(trace: Trace) -> list[str]:
    """One sentence for each kind of event that is missing."""
    found = []
    if not has_any(trace, _FAULTS):
        found.append("no page_fault_user events: which thread touched what is not known")
    if not has_any(trace, ("sched_switch",)):
        found.append(
            "no sched_switch events: when threads slept is not known; "
            "a replay lets them sleep between their events"
        )
    if has_any(trace, _FAULTS):
        if not has_any(trace, (_INSERTION,)):
            found.append(f"no {_INSERTION} events: what was read is not known")
        elif not has_any(trace, _READAHEAD):
            found.append("no page_cache_*_ra events: readahead is guessed from the longest read")
        if not has_any(trace, (_MMAP,)):
            found.append(f"no {_MMAP} events: mappings are guessed from faults")
    if trace.header.lost_events:
        found.append(f"{trace.header.lost_events:,} events were lost while recording")
    return found


def unknown_figures(trace: Trace) -> set[str]:
    """Of the figures that a self-check compares, those that this recording cannot tell."""
    found = set()
    if not has_any(trace, ("sched_switch",)):
        found.add("blocked_s")
    if not has_any(trace, (_INSERTION,)):
        found |= {"major_faults", "pages_read", "blocked_s"}
    if not has_any(trace, ("mm_filemap_fault",)):
        found |= {"filemap_faults", "major_faults"}
    return found


def cpus_seen(trace: Trace) -> int:
    """CPUs that the events name, when the recording does not say how many there were."""
    highest = [cast(int, table["cpu"].max()) for table in trace.tables.values() if len(table)]
    return min(max(highest, default=0) + 1, MAX_CPUS)


def folio_order_limit(trace: Trace) -> int:
    """The order of the largest folios that the replay uses: 9 (ext4 on x86) when there are any.

    Otherwise 8, which no request of 256 pages is too short for.
    """
    orders = trace.table(_INSERTION)["order"]
    return 9 if cast(int, orders.max() or 0) > 8 else 8


def readahead_limit(trace: Trace, recording: Recording) -> int:
    """ra_pages: as the events print it, of the recorder's devices, or for the longest read."""
    limits = readahead_pages(trace) or [
        size // PAGE for size in sorted(trace.header.readahead_bytes.values()) if size >= PAGE
    ]
    if limits:
        return min(limits[-1], MAX_READAHEAD_PAGES)
    operations = recording.operations
    faults = operations.filter(operations["kind"] == FAULT)
    longest = cast(int, faults["pages_added"].max() or 0)
    return min(max(32, 1 << (longest - 1).bit_length()), MAX_READAHEAD_PAGES)


def readahead_pages(trace: Trace) -> list[int]:
    """The readahead limits (ra_pages) that the events show, pages."""
    found: set[int] = set()
    for event in ("page_cache_ra_order", "page_cache_sync_ra", "page_cache_async_ra"):
        found.update(int(value) for value in trace.table(event)["ra_pages"].unique())
    return sorted(found)
