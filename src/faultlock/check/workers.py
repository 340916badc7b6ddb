# SPDX-License-Identifier: GPL-2.0-only
"""One level of the breadth-first search, by any number of workers (compiled).

A level is one range of rows in each worker's region.  Workers take chunks of these ranges
from shared cursors; successors go to the worker's own region.
"""

from __future__ import annotations

from typing import Any

from faultlock.check.compiled import compiled, inlined
from faultlock.check.entering import drain
from faultlock.check.intrinsics import fetch_add
from faultlock.check.kinds import I64, I64x2
from faultlock.check.machine import Machine, Room, Search
from faultlock.check.store import (
    EDGES,
    PENDING_HIGH,
    PENDING_LOW,
    SPARE_SLOTS,
    STATES,
    Store,
    room_in,
)
from faultlock.check.successors import expand

Array = Any
DONE, STOPPED, TABLE_FULL, REGION_FULL = range(4)
CHUNK = 64
MAX_SUCCESSORS = 4096  # of one state; room that is kept free in a region
BUDGET = 128  # transitions until the next look at limits


@inlined
def next_chunk(store: Store, worker: int, cursors: I64x2, ends: I64) -> tuple[int, int]:
    """The next rows to expand: what was left over, else a chunk of the level; (0, 0): none."""
    low, high = store.counters[worker, PENDING_LOW], store.counters[worker, PENDING_HIGH]
    if low < high:
        store.counters[worker, PENDING_LOW] = high
        return low, high
    workers = len(ends)
    for turn in range(workers):
        region = (worker + turn) % workers
        if cursors[region, 0] < ends[region]:
            low = fetch_add(cursors.ctypes.data + region * 64, CHUNK)
            if low < ends[region]:
                return low, min(low + CHUNK, ends[region])
    return 0, 0


@inlined
def obstacle(store: Store, worker: int, stop: I64) -> int:
    """Why the next state can not be expanded now, or DONE when it can."""
    if stop[0]:
        return STOPPED
    states = 0
    for other in range(len(store.counters)):
        states += store.counters[other, STATES]
    for group in range(len(store.segment_tables)):
        used = 0
        for other in range(len(store.counters)):
            used += store.segments_used[group, other, 0]
            if store.segments_used[group, other, 0] + MAX_SUCCESSORS > store.segment_region:
                return REGION_FULL
        if 2 * (used + SPARE_SLOTS * len(store.counters)) > store.segment_tables.shape[1]:
            return TABLE_FULL
    if states + SPARE_SLOTS * len(store.counters) > room_in(store):
        return TABLE_FULL
    if store.counters[worker, STATES] + MAX_SUCCESSORS > store.region:
        return REGION_FULL
    full = store.counters[worker, EDGES] + MAX_SUCCESSORS > store.edge_region
    return REGION_FULL if store.edge_region and full else DONE


@compiled
def work(store: Store, machine: Machine, search: Search, worker: int, cursors: I64x2,
         ends: I64, stop: I64, room: Room) -> int:
    """Expand rows of this level until there are none; the reason when it ends earlier.

    ends: of the level's rows, per worker; room: for this worker alone."""
    budget = 0
    while True:
        low, high = next_chunk(store, worker, cursors, ends)
        if low == high:
            break
        for row in range(low, high):
            if budget <= 0:
                reason = obstacle(store, worker, stop)
                if reason != DONE:
                    store.counters[worker, PENDING_LOW] = row
                    store.counters[worker, PENDING_HIGH] = high
                    drain(store, machine, search, worker, room, 0)
                    return reason
                budget = BUDGET
            budget -= 1 + expand(store, machine, search, worker, room, row, ends)
    drain(store, machine, search, worker, room, 0)
    return DONE
