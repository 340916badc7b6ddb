# SPDX-License-Identifier: GPL-2.0-only
"""Levels of the breadth-first search, by any number of workers (compiled).

A level is one range of rows in each worker's region.  Workers take chunks of these ranges
from shared cursors; successors go to the worker's own region.  At the end of a level they wait
for each other, and the last one begins the next: a search has hundreds of levels, some of a
millisecond, and waking a thread from Python costs a tenth of that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from faultlock.check.compiled import compiled, inlined
from faultlock.check.entering import drain
from faultlock.check.intrinsics import fetch_add, let_others_run, load_word
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
CHUNK = 32
MAX_SUCCESSORS = 4096  # of one state; room that is kept free in a region
BUDGET = 128  # transitions until the next look at limits
SPINS = 256  # looks at a mark before others may have the core
# Course.marks: levels that were begun; workers at the end of this one; ends of levels so far; a
# worker has left in the middle of a level; the next level was begun
BEGUN, ARRIVED, ENDED, LEFT, GOES_ON = range(5)


class Course(NamedTuple):
    """What workers share while they expand level after level.  R regions, N levels."""

    cursors: I64x2  # [R, 8]: the next row of the level
    ends: I64  # [R]: of the level's rows
    levels: I64x2  # [N, 2R]: first rows and ends of the levels that were begun
    marks: I64x2  # [5, 8]: see above, each in a cache line of its own
    stop: I64  # [8]: not 0 in the first: leave


def make_course(workers: int, levels: int) -> Course:
    """For searches that do so many levels at a time."""
    return Course(np.zeros((workers, 8), np.int64), np.zeros(workers, np.int64),
                  np.zeros((levels, 2 * workers), np.int64), np.zeros((5, 8), np.int64),
                  np.zeros(8, np.int64))


@inlined
def next_chunk(store: Store, worker: int, course: Course) -> tuple[int, int]:
    """The next rows to expand: what was left over, else a chunk of the level; (0, 0): none."""
    low, high = store.counters[worker, PENDING_LOW], store.counters[worker, PENDING_HIGH]
    if low < high:
        store.counters[worker, PENDING_LOW] = high
        return low, high
    workers = len(course.ends)
    for turn in range(workers):
        region = (worker + turn) % workers
        if course.cursors[region, 0] < course.ends[region]:
            low = fetch_add(course.cursors.ctypes.data + region * 64, CHUNK)
            if low < course.ends[region]:
                return low, min(low + CHUNK, course.ends[region])
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


@inlined
def begin_next(store: Store, course: Course, least: int, below: int, states: int) -> None:
    """Begin the next level, unless Python has to see to it: see work()."""
    begun = course.marks[BEGUN, 0]
    size, total = 0, 0
    for region in range(len(course.ends)):
        low = region * store.region
        size += low + store.counters[region, STATES] - course.ends[region]
        total += store.counters[region, STATES]
    course.marks[GOES_ON, 0] = 0
    if begun == len(course.levels) or size < max(least, 1) or size >= below or total >= states:
        return
    for region in range(len(course.ends)):
        low = course.ends[region]
        high = region * store.region + store.counters[region, STATES]
        course.levels[begun, region] = low
        course.levels[begun, len(course.ends) + region] = high
        course.cursors[region, 0] = low
        course.ends[region] = high
    course.marks[BEGUN, 0] = begun + 1
    course.marks[GOES_ON, 0] = 1


@inlined
def meet(store: Store, course: Course, workers: int, least: int, below: int,
         states: int) -> bool:
    """Wait until all workers are at the end of the level; whether the next one was begun."""
    marks = course.marks.ctypes.data
    ended = load_word(marks + ENDED * 64)
    if fetch_add(marks + ARRIVED * 64, 1) == workers - 1:
        begin_next(store, course, least, below, states)
        course.marks[ARRIVED, 0] = 0
        fetch_add(marks + ENDED * 64, 1)
        goes_on: bool = course.marks[GOES_ON, 0] == 1
        return goes_on
    spins = 0
    while load_word(marks + ENDED * 64) == ended:
        if load_word(marks + LEFT * 64) != 0:
            return False
        spins += 1
        if spins % SPINS == 0:
            let_others_run()
    begun: bool = load_word(marks + GOES_ON * 64) == 1
    return begun


@inlined
def one_level(store: Store, machine: Machine, search: Search, worker: int, course: Course,
              room: Room) -> int:
    """Expand rows of this level until there are none; the reason when it ends earlier."""
    budget = 0
    while True:
        low, high = next_chunk(store, worker, course)
        if low == high:
            break
        for row in range(low, high):
            if budget <= 0:
                reason = obstacle(store, worker, course.stop)
                if reason != DONE:
                    store.counters[worker, PENDING_LOW] = row
                    store.counters[worker, PENDING_HIGH] = high
                    drain(store, machine, search, worker, room, 0)
                    return reason
                budget = BUDGET
            budget -= 1 + expand(store, machine, search, worker, room, row, course.ends)
    drain(store, machine, search, worker, room, 0)
    return DONE


@compiled
def work(store: Store, machine: Machine, search: Search, worker: int, workers: int,
         course: Course, room: Room, least: int, below: int, states: int) -> int:
    """Expand the level that was begun, and the next ones as long as they have from `least` to
    below `below` states, there is room in course.levels, and fewer than `states` states were
    found; the reason when it ends in the middle of a level.

    `workers` workers (0, 1, ...) do so at the same time; room: for this one alone."""
    while True:
        reason = one_level(store, machine, search, worker, course, room)
        if reason != DONE:
            course.marks[LEFT, 0] = 1
            return reason
        if not meet(store, course, workers, least, below, states):
            return DONE
