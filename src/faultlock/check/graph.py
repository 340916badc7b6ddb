# SPDX-License-Identifier: GPL-2.0-only
"""Algorithms on the stored graph (compiled): cycles, components, what leads to where.

All arrays are indexed by row; rows of a worker are region * worker .. + its states.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from faultlock.check.compiled import compiled, inlined
from faultlock.check.explore import Exploration
from faultlock.check.fingerprints import FIRST_PROPERTY, eventually_of
from faultlock.check.intrinsics import call_property
from faultlock.check.kinds import I64, U8, U16, U32, U64
from faultlock.check.store import NO_STATE, STATES, Store, state_words, unpack

Array = Any
UNSEEN, DONE = 0, 0xFFFFFFFF  # of Tarjan's numbers


@compiled
def count_predecessors(store: Store, degree: U32) -> None:
    """degree[row] = edges into the row."""
    for worker in range(len(store.counters)):
        low = worker * store.region
        for row in range(low, low + store.counters[worker, STATES]):
            start = store.edge_start[row]
            for edge in range(start, start + store.edge_count[row]):
                target = store.edge_target[edge]
                if target != NO_STATE:
                    degree[target] += 1


@compiled
def peel(store: Store, degree: U32, queue: U32) -> int:
    """Remove states without predecessors again and again; returns how many were removed.

    Afterwards degree[row] > 0 exactly for the states on cycles and behind them."""
    tail = 0
    for worker in range(len(store.counters)):
        low = worker * store.region
        for row in range(low, low + store.counters[worker, STATES]):
            if degree[row] == 0:
                queue[tail] = row
                tail += 1
    head = 0
    while head < tail:
        row = queue[head]
        head += 1
        start = store.edge_start[row]
        for edge in range(start, start + store.edge_count[row]):
            target = store.edge_target[edge]
            if target != NO_STATE:
                degree[target] -= 1
                if degree[target] == 0:
                    queue[tail] = target
                    tail += 1
    return tail


def topological_order(run: Exploration) -> Array | None:
    """All rows, each before those that it leads to; None: the graph has cycles."""
    degree = np.zeros(len(run.store.parent), np.uint32)
    queue = np.empty(run.states, np.uint32)
    count_predecessors(run.store, degree)
    return queue if peel(run.store, degree, queue) == run.states else None


def is_acyclic(run: Exploration) -> bool:
    """Whether no state can be reached from itself: every run ends."""
    return topological_order(run) is not None


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
def predecessor_lists(store: Store, degree: U32, starts: I64, filled: U32,
                      sources: U32) -> None:
    """Turn the edges round: sources[starts[row]:starts[row] + degree[row]] lead to the row.

    Only rows in use are touched: the arrays are as long as the reserved rows."""
    running = 0
    for worker in range(len(store.counters)):
        low = worker * store.region
        for row in range(low, low + store.counters[worker, STATES]):
            starts[row] = running
            running += degree[row]
    for worker in range(len(store.counters)):
        low = worker * store.region
        for row in range(low, low + store.counters[worker, STATES]):
            begin = store.edge_start[row]
            for edge in range(begin, begin + store.edge_count[row]):
                target = store.edge_target[edge]
                if target != NO_STATE:
                    sources[starts[target] + filled[target]] = row
                    filled[target] += 1


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
    starts, degree = np.zeros(rows, np.int64), np.zeros(rows, np.uint32)
    count_predecessors(run.store, degree)
    sources = np.empty(sum(int(degree[low:high].sum()) for low, high in run.rows()), np.uint32)
    predecessor_lists(run.store, degree, starts, np.zeros(rows, np.uint32), sources)
    queue = np.empty(run.states, np.uint32)
    close_doom(run.store, starts, degree, sources, bad, np.zeros(rows, np.uint16), queue)
    return bad


@inlined
def pass_over_dead(store: Store, alive: U8, index: U32) -> None:
    """As if the states that are not alive had been visited."""
    for worker in range(len(store.counters)):
        first = worker * store.region
        for row in range(first, first + store.counters[worker, STATES]):
            if not alive[row]:
                index[row] = DONE


@inlined
def unwound(stack: U32, tops: int, row: int) -> int:
    """How high the stack is below a row."""
    bottom = tops - 1
    while stack[bottom] != row:
        bottom -= 1
    return bottom


@compiled
def components(store: Store, alive: U8, component: U32, index: U32, low: U32, stack: U32,
               call: U32, edge: I64, last: I64, order: U32) -> tuple[int, int]:
    """Strongly connected components of the alive states (Tarjan, without recursion).

    component[row] = number from 1; returns how many, and how many states are alive.  component,
    index: u32 per row, zeroed; low, stack, call, edge, last: per state; order: u32 per state,
    gets the rows by component: each leads only to its own and to earlier ones.  An edge costs
    one look at index: what else belongs to a row is kept beside the stack of calls."""
    count, tops, number, done = 0, 0, 1, 0
    pass_over_dead(store, alive, index)
    for worker in range(len(store.counters)):
        first = worker * store.region
        for root in range(first, first + store.counters[worker, STATES]):
            if index[root] != UNSEEN:
                continue
            depth, target = -1, root
            while True:
                if target >= 0:  # enter it
                    depth += 1
                    index[target] = low[depth] = number
                    number += 1
                    call[depth] = stack[tops] = target
                    tops += 1
                    edge[depth] = store.edge_start[target]
                    last[depth] = edge[depth] + store.edge_count[target]
                    target = -1
                if edge[depth] < last[depth]:
                    ahead = store.edge_target[edge[depth]]
                    edge[depth] += 1
                    mark = DONE if ahead == NO_STATE else index[ahead]
                    if mark == UNSEEN:
                        target = ahead
                    else:
                        low[depth] = min(low[depth], mark)
                    continue
                if low[depth] == index[call[depth]]:
                    count += 1
                    bottom = unwound(stack, tops, call[depth])
                    for place in range(tops - 1, bottom - 1, -1):
                        component[stack[place]] = count
                        index[stack[place]] = DONE
                        order[done] = stack[place]
                        done += 1
                    tops = bottom
                depth -= 1
                if depth < 0:
                    break
                low[depth] = min(low[depth], low[depth + 1])
    return count, done


def find_components(run: Exploration, alive: Array, component: Array) -> tuple[int, Array]:
    """How many components the alive states have, and their rows (see components)."""
    states = run.states + 1
    low, stack, call, order = (np.empty(states, np.uint32) for _ in range(4))
    edge, last = (np.empty(states, np.int64) for _ in range(2))
    index = np.zeros(len(run.store.parent), np.uint32)
    count, alive_rows = components(run.store, alive, component, index, low, stack, call, edge,
                                   last, order)
    return count, order[:alive_rows]


@compiled
def component_facts(store: Store, component: U32, stepped: U64, enabled: U64,
                    cyclic: U8, unfinished: U64, waiting: U64) -> None:
    """Per component: threads (bit set) that step inside it, that are enabled in all its
    states, that have not finished in any state; whether it has an edge inside.

    enabled is all ones on entry.  `waiting` is a bit set of all non-daemon threads, in [0]."""
    for worker in range(len(store.counters)):
        first = worker * store.region
        for row in range(first, first + store.counters[worker, STATES]):
            mine = component[row]
            if mine == 0:
                continue
            here = np.uint64(0)
            begin = store.edge_start[row]
            for edge in range(begin, begin + store.edge_count[row]):
                bit = np.uint64(1) << np.uint64(store.edge_thread[edge])
                here |= bit
                target = store.edge_target[edge]
                if target != NO_STATE and component[target] == mine:
                    stepped[mine] |= bit
                    cyclic[mine] = 1
            enabled[mine] &= here
            if not store.whole:
                unfinished[mine] |= np.uint64(store.facts[row]) & waiting[0]
                continue
            pcs = store.rows[row].view(np.int16)
            for thread in range(1, 64):
                if waiting[0] >> np.uint64(thread) & np.uint64(1) and pcs[thread - 1] != 0:
                    unfinished[mine] |= np.uint64(1) << np.uint64(thread)


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
