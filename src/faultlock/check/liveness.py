# SPDX-License-Identifier: GPL-2.0-only
"""What happens in the long run: livelock, starvation, `eventually`.

Fairness assumed: weak, per thread.  A thread that stays enabled for ever takes steps; a read
that is in flight completes, because the disk is such a thread.  A cycle of states is fair
when each thread steps in it or is disabled somewhere in it.

Partial order reduction keeps the ends of all runs, and a reduced graph without cycles means
that no run is infinite.  So: no cycle, then `eventually p` is a question about the last
states of runs in the graph where p holds nowhere before.  With cycles the graph is built
again with fusion only (local steps are always enabled and never form a cycle), and strongly
connected components are searched in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from faultlock.check import graph
from faultlock.check.cycles import component_facts, find_components
from faultlock.check.explore import Exploration
from faultlock.lang import program as ir

Array = Any


@dataclass
class Lasso:
    """A run that violates: to `row`, and from there round `cycle` for ever (empty: it ends)."""

    row: int
    cycle: list[tuple[int, int]]  # (thread, row reached)
    starving: list[int]  # threads that have not finished and take no step in the cycle
    looping: list[int]  # threads that have not finished and do


def find_livelock(run: Exploration) -> Lasso | None:
    """A fair cycle in which a thread that should finish does not; None when there is none."""
    alive = np.zeros(len(run.store.parent), np.uint8)
    for low, high in run.rows():
        alive[low:high] = 1
    return _fair_cycle(run, alive, need_unfinished=True)


def find_never(run: Exploration, item: ir.Property) -> Lasso | None:
    """A fair run, finite or not, on which a property never holds; None when there is none."""
    store = run.store
    false = graph.false_states(run, item.function)
    reached = np.zeros(len(store.parent), np.uint8)
    queue = np.empty(run.states, np.uint32)
    graph.flood(store, false, 0, reached, queue)
    ends = [
        row
        for low, high in run.rows()
        for row in (np.nonzero(reached[low:high] & (store.terminal[low:high] > 0))[0] + low)
    ]
    if ends:
        return Lasso(_first_of(run, [int(row) for row in ends]), [], [], [])
    return _fair_cycle(run, reached, need_unfinished=False)


def _bits(value: int) -> list[int]:
    return [bit for bit in range(64) if value >> bit & 1]


def _fair_cycle(run: Exploration, alive: Array, need_unfinished: bool) -> Lasso | None:
    store = run.store
    component = np.zeros(len(store.parent), np.uint32)
    count, rows = find_components(run, alive, component)
    stepped = np.zeros(count + 1, np.uint64)
    enabled = np.full(count + 1, (1 << 64) - 1, np.uint64)
    cyclic = np.zeros(count + 1, np.uint8)
    unfinished = np.zeros(count + 1, np.uint64)
    waiting = np.zeros(1, np.uint64)
    for number, thread in enumerate(run.program.threads, start=1):
        waiting[0] |= np.uint64(0 if thread.daemon else 1 << number)
    component_facts(store, rows, component, stepped, enabled, cyclic, unfinished, waiting)
    fair = (cyclic == 1) & (enabled & ~stepped == 0)
    if need_unfinished:
        fair &= unfinished != 0
    fair[0] = False
    if not fair.any():
        return None
    row = _shallowest(run, rows[fair[component[rows]]])
    mine = int(component[row])
    steppers = int(stepped[mine])
    cycle = _closed_walk(run, component, row, _bits(steppers))
    open_threads = _bits(int(unfinished[mine]))
    return Lasso(
        row, cycle,
        [thread for thread in open_threads if not steppers >> thread & 1],
        [thread for thread in open_threads if steppers >> thread & 1],
    )


def _first_of(run: Exploration, rows: list[int]) -> int:
    """The row that a single worker finds first."""
    depths = [run.depth_of(row) for row in rows]
    least = min(depths)
    nearest = [row for row, depth in zip(rows, depths, strict=True) if depth == least]
    order = {int(row): place for place, row in enumerate(run.order.level(least))}
    return min(nearest, key=order.__getitem__)


def _shallowest(run: Exploration, rows: Array) -> int:
    """The one of these rows that is nearest to the initial state, and found first by a single
    worker."""
    ordered = np.sort(rows).astype(np.int64)
    for depth, (lows, highs) in enumerate(run.levels):
        if (np.searchsorted(ordered, lows) < np.searchsorted(ordered, highs)).any():
            level = run.order.level(depth)
            return int(level[np.isin(level, ordered)][0])
    raise AssertionError("a marked state is on no level")


def edges_of(run: Exploration, row: int) -> list[tuple[int, int]]:
    """(thread, target) of every edge of a state."""
    start = int(run.store.edge_start[row])
    stop = start + int(run.store.edge_count[row])
    return [
        (int(run.store.edge_thread[edge]), int(run.store.edge_target[edge]))
        for edge in range(start, stop)
    ]


def _closed_walk(run: Exploration, component: Array, root: int,
                 threads: list[int]) -> list[tuple[int, int]]:
    """A short way from a state back to itself inside its component on which each of these
    threads steps: without that it would not be fair to them."""
    walk: list[tuple[int, int]] = []
    missing = set(threads)
    row = root
    while missing:
        way = _way(run, component, row, lambda thread, _, left=missing: thread in left)
        walk += way
        missing = missing - {thread for thread, _ in way}
        row = walk[-1][1]
    if row != root:
        walk += _way(run, component, row, lambda _, target: target == root)
    return walk


def _way(run: Exploration, component: Array, start: int,
         wanted: Callable[..., bool]) -> list[tuple[int, int]]:
    """A shortest way inside a component whose last edge (thread, target) is wanted."""
    mine = component[start]
    came: dict[int, tuple[int, int]] = {}
    waiting = [start]
    for row in waiting:
        for thread, target in edges_of(run, row):
            if target >= len(component) or component[target] != mine:
                continue
            if wanted(thread, target):
                way = [(thread, target)]
                while row != start:
                    row, thread, target = *came[row], row
                    way.append((thread, target))
                return way[::-1]
            if target not in came and target != start:
                came[target] = (row, thread)
                waiting.append(target)
    raise AssertionError("a component has no way between two of its states")
