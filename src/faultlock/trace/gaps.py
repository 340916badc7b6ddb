# SPDX-License-Identifier: GPL-2.0-only
"""What a recording lacks, and what therefore is not known."""

from __future__ import annotations

from faultlock.trace.store import Trace

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
