# SPDX-License-Identifier: GPL-2.0-only
"""Algorithms on the stored graph (compiled): where properties hold, what leads to where.

All arrays are indexed by row; rows of a worker are region * worker .. + its states.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from faultlock.check.compiled import compiled
from faultlock.check.cycles import predecessors, turn_edges
from faultlock.check.explore import Exploration
from faultlock.check.fingerprints import FIRST_PROPERTY, eventually_of
from faultlock.check.intrinsics import call_property
from faultlock.check.kinds import I64, U8, U16, U32, U64
from faultlock.check.store import NO_STATE, STATES, Store, state_words, unpack

Array = Any


@compiled
def mark_false(store: Store, address: int, marks: U8, state: U64) -> None:
    """marks[row] = 1 where a property does not hold; `state`: room for one state."""
    for worker in range(len(store.counters)):
        low = worker * store.region
        for row in range(low, low + store.counters[worker, STATES]):
            unpack(store, store.rows[row], state)
            marks[row] = call_property(address, state.ctypes.data) != 1


def false_states(run: Exploration, function: str) -> Array:
    """u8 per row: 1 where an atomic function does not return true.  With fingerprints it must
    be that of an `eventually`."""
    marks = np.zeros(len(run.store.parent), np.uint8)
    if not run.store.whole:
        names = [item.function for item in eventually_of(run)]
        bit = np.uint32(1 << (FIRST_PROPERTY + names.index(function)))
        for low, high in run.rows():
            marks[low:high] = run.store.facts[low:high] & bit == 0
        return marks
    state = np.zeros(state_words(run.store), np.uint64)
    mark_false(run.store, run.native.address(function), marks, state)
    return marks


@compiled
def first_places(store: Store, degree: U32, starts: I64) -> None:
    """starts[row] = edges into the rows before it.

    Only rows in use are touched: the arrays are as long as the reserved rows."""
    running = 0
    for worker in range(len(store.counters)):
        low = worker * store.region
        for row in range(low, low + store.counters[worker, STATES]):
            starts[row] = running
            running += degree[row]


@compiled
def close_doom(store: Store, starts: I64, degree: U32, sources: U32, doomed: U8,
               left: U16, queue: U32) -> None:
    """Extend `doomed` to the states from which every run reaches a doomed state."""
    tail = 0
    for worker in range(len(store.counters)):
        low = worker * store.region
        for row in range(low, low + store.counters[worker, STATES]):
            left[row] = store.edge_count[row]
            begin = store.edge_start[row]
            for edge in range(begin, begin + store.edge_count[row]):
                if store.edge_target[edge] == NO_STATE:
                    left[row] -= 1
            if store.edge_count[row] > 0 and left[row] == 0:
                doomed[row] = 1
            if doomed[row]:
                queue[tail] = row
                tail += 1
    head = 0
    while head < tail:
        row = queue[head]
        head += 1
        for place in range(starts[row], starts[row] + degree[row]):
            source = sources[place]
            left[source] -= 1
            if left[source] == 0 and not doomed[source]:
                doomed[source] = 1
                queue[tail] = source
                tail += 1


def doomed_states(run: Exploration, bad: Array) -> Array:
    """u8 per row: every run from here reaches a state that is marked in `bad` (or fails an
    assertion).  Needs a complete graph with edges; `bad` is extended and returned."""
    rows = len(run.store.parent)
    starts, degree = np.zeros(rows, np.int64), predecessors(run)
    sources = np.empty(sum(int(degree[low:high].sum()) for low, high in run.rows()), np.uint32)
    first_places(run.store, degree, starts)
    turn_edges(run.store, 0, NO_STATE, np.zeros(rows, np.uint32), starts, sources)
    queue = np.empty(run.states, np.uint32)
    close_doom(run.store, starts, degree, sources, bad, np.zeros(rows, np.uint16), queue)
    return bad


@compiled
def flood(store: Store, alive: U8, root: int, reached: U8, queue: U32) -> int:
    """Mark the alive states that can be reached from root through alive states only."""
    if not alive[root]:
        return 0
    reached[root] = 1
    queue[0] = root
    head, tail = 0, 1
    while head < tail:
        row = queue[head]
        head += 1
        begin = store.edge_start[row]
        for edge in range(begin, begin + store.edge_count[row]):
            target = store.edge_target[edge]
            if target != NO_STATE and alive[target] and not reached[target]:
                reached[target] = 1
                queue[tail] = target
                tail += 1
    return tail
