# SPDX-License-Identifier: GPL-2.0-only
"""The first state of what threads write in user mode: the C library's heaps, and the TLB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from faultlock.sim.memory_plan import HEAP_PAGES, Process

TLB_OTHER_SLOTS = (1, 2, 31, 35, 47)  # tlb_other() in kernel/tlb.py: no thread keeps these


def add_heaps(
    set_field: Callable[..., None],
    counts: Mapping[str, int],
    mm: int,
    process: Process,
    first: int,
) -> int:
    """Heaps of a process from number `first` on: the main one, then its arenas; how many.

    set_field(struct, instance, field, value); counts: instances of each struct."""
    if process.main_heap < 0:
        return 0
    last = first + len(process.arenas)
    for heap, start in enumerate([process.main_heap, *process.arenas], start=first):
        set_field("Heap", heap, "start", start)
        set_field("Heap", heap, "is_main", int(heap == first))
        set_field("Heap", heap, "mutex", heap)
        set_field("Heap", heap, "next", first)
        set_field("Heap", heap, "pages", HEAP_PAGES)
        set_field("Heap", heap, "made_next", heap + 1 if first < heap < last else 0)
    set_field("Malloc", mm, "arena_count", len(process.arenas))
    set_field("Malloc", mm, "main_heap", first)
    set_field("Malloc", mm, "list_lock", counts.get("Heap", 0) + mm)
    set_field("Malloc", mm, "to_make", first + 1 if last > first else 0)
    return len(process.arenas) + 1


def fill_tlb(
    set_field: Callable[..., None],
    constants: Mapping[str, Any],
    slots: int,
    processes: list[Process],
) -> None:
    """Threads wait for the start in user mode: the TLB has the entries of their stacks, of one
    process (kernel/tlb.py; the first flush is still to come, and has number 0)."""
    for process in processes[:1]:
        first = constants["TLB_STACK_POSITION"]
        pages = {first - number: page for number, page in enumerate(process.stacks)}
        pages[constants["TLB_DATA_POSITION"]] = process.shared_data
        pages[constants["TLB_MAIN_STACK_POSITION"]] = process.shared_stack
        for position, page in pages.items():
            if position % slots not in TLB_OTHER_SLOTS:
                set_field("tlb", 1, "page", page, position % slots)
