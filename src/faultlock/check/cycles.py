# SPDX-License-Identifier: GPL-2.0-only
"""Which states of the stored graph lie on cycles: strongly connected components (compiled).

States without predecessors are taken away again and again.  What is left lies on a cycle or
behind one; in the models of this project these are few, and only they need a search for
components, however often one is asked for.  The others are components of their own, and the
order in which they went is a topological one.

All arrays are indexed by row, unless they are lists of rows.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from faultlock.check.compiled import compiled, inlined
from faultlock.check.kinds import I64, U8, U32, U64, Int
from faultlock.check.side_by_side import side_by_side
from faultlock.check.store import NO_STATE, STATES, Store

if TYPE_CHECKING:
    from faultlock.check.exploration import Exploration

Array = Any
UNSEEN, DONE = 0, 0xFFFFFFFF  # of Tarjan's numbers


class Cycles(NamedTuple):
    """All rows of a graph: those that no cycle leads to, and the others."""

    before: U32  # a topological order: each leads to later ones, or to those that are left
    left: U32  # on cycles and behind them; they lead to each other only


@compiled
def turn_edges(store: Store, first: int, end: int, filled: U32, starts: I64,
               sources: U32) -> None:
    """filled[row] += edges into the row, for first <= row < end (NO_STATE: all stored rows).

    Unless `sources` is empty it gets their sources too, from starts[row] + filled[row].
    Another worker may do the same for other rows."""
    keep = len(sources) > 0
    for worker in range(len(store.counters)):
        low = worker * store.region
        for row in range(low, low + store.counters[worker, STATES]):
            start = store.edge_start[row]
            for edge in range(start, start + store.edge_count[row]):
                target = store.edge_target[edge]
                if first <= target < end:
                    if keep:
                        sources[starts[target] + filled[target]] = row
                    filled[target] += 1


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


def predecessors(run: Exploration) -> Array:
    """u32 per row: edges into it; counted by all workers."""
    degree = np.zeros(len(run.store.parent), np.uint32)
    none = np.empty(0, np.int64), np.empty(0, np.uint32)
    side_by_side(run.options.workers, [partial(turn_edges, run.store, low, high, degree, *none)
                                       for low, high in run.rows()])
    return degree


def find_cycles(run: Exploration) -> Cycles:
    """See Cycles; Exploration.cycles keeps it."""
    degree = predecessors(run)
    queue = np.empty(run.states, np.uint32)
    count = peel(run.store, degree, queue)
    if count == run.states:
        return Cycles(queue, np.empty(0, np.uint32))
    left = [np.nonzero(degree[low:high])[0] + low for low, high in run.rows()]
    return Cycles(queue[:count], np.concatenate(left).astype(np.uint32))


@inlined
def unwound(stack: U32, tops: int, row: int) -> int:
    """How high the stack is below a row."""
    bottom = tops - 1
    while stack[bottom] != row:
        bottom -= 1
    return bottom


@compiled
def components(store: Store, rows: U32, component: U32, index: U32, low: U32, stack: U32,
               call: U32, edge: I64, last: I64, order: U32) -> tuple[int, int]:
    """Strongly connected components of some of these rows (Tarjan, without recursion).

    index: u32 per row, UNSEEN for the rows that are wanted, DONE for those that they lead to and
    that are not.  component[row] = number from 1; returns how many, and how many rows were
    wanted.  low, stack, call, edge, last, order: room for one entry per row; order gets the rows
    by component: each leads only to its own and to earlier ones.  An edge costs one look at
    index: what else belongs to a row is kept beside the stack of calls."""
    count, tops, number, done = 0, 0, 1, 0
    for root in rows:
        if index[root] != UNSEEN:
            continue
        depth = -1
        target: Int = np.int64(root)
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
    """How many components the alive states have that may be on a cycle (those of
    run.cycles.left), and these states, by component: each leads only to its own and to earlier
    ones.  Their numbers, from 1, are entered in `component`; that of the others stays."""
    left = run.cycles.left
    low, stack, call, order = (np.empty(len(left) + 1, np.uint32) for _ in range(4))
    edge, last = (np.empty(len(left) + 1, np.int64) for _ in range(2))
    index = np.zeros(len(run.store.parent), np.uint32)
    index[left[alive[left] == 0]] = DONE
    count, rows = components(run.store, left, component, index, low, stack, call, edge, last,
                             order)
    return count, order[:rows]


@compiled
def component_facts(store: Store, rows: U32, component: U32, stepped: U64, enabled: U64,
                    cyclic: U8, unfinished: U64, waiting: U64) -> None:
    """Per component of these rows: threads (bit set) that step inside it, that are enabled in
    all its states, that have not finished in any state; whether it has an edge inside.

    enabled is all ones on entry.  `waiting` is a bit set of all non-daemon threads, in [0]."""
    for row in rows:
        mine = component[row]
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
