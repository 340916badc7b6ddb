# SPDX-License-Identifier: GPL-2.0-only
"""The order in which a single worker finds the states, whoever found them.

Several workers number states as they come, and enter the parent that was quickest.  The graph
does not depend on that, nor does the level of a state.  From both follows which state a single
worker would have found first, and from where: counterexamples are the same for any number of
workers.  The order is worked out only as deep as a finding is.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from faultlock.check.compiled import compiled
from faultlock.check.exploration import PARALLEL_LEVEL
from faultlock.check.intrinsics import call_property
from faultlock.check.kinds import I64, U8, U64, I64x2
from faultlock.check.store import NO_STATE, Store, state_words, unpack
from faultlock.lang.native import CHOICE, ERROR, FAILED, NO_CHOICE

if TYPE_CHECKING:
    from faultlock.check.exploration import Exploration

Array = Any


@compiled
def first_hit(store: Store, rows: I64, address: int, hit: bool, state: U64) -> int:
    """Index of the first of these rows where a property is `hit`; -1: none."""
    for index in range(len(rows)):
        unpack(store, store.rows[rows[index]], state)
        if (call_property(address, state.ctypes.data) == 1) == hit:
            return index
    return -1


@compiled
def next_level(store: Store, before: I64, bounds: I64x2, seen: U8, found: I64) -> int:
    """Enter the rows of a level, within these bounds, in the order in which the one before leads
    to them, and their parents; how many.  seen: u8 per row, zero for the rows of the level."""
    count = 0
    for row in before:
        begin = store.edge_start[row]
        for edge in range(begin, begin + store.edge_count[row]):
            target = store.edge_target[edge]
            if target == NO_STATE or seen[target]:
                continue
            region = target // store.region
            if bounds[region, 0] <= target < bounds[region, 1]:
                seen[target] = 1
                store.parent[target] = row
                found[count] = target
                count += 1
    return count


class Order:
    """Rows by depth, in the order of a single worker; see the module."""

    def __init__(self, run: Exploration) -> None:
        self.run = run
        self._lock = threading.RLock()  # several properties are judged side by side
        self._levels: list[Array] = [np.array([0], np.int64)]
        self._seen = np.zeros(len(run.store.parent), np.uint8)

    def is_given(self, depth: int) -> bool:
        """Whether rows and parents up to a depth are in the order of a single worker already."""
        run = self.run
        if run.options.workers == 1 or not run.options.edges:
            return True
        sizes = (sum(highs) - sum(lows) for lows, highs in run.levels[:depth])
        return all(size < PARALLEL_LEVEL for size in sizes)

    def level(self, depth: int) -> Array:
        """The rows at a depth, in order; their parents are set to those of a single worker."""
        if self.is_given(depth):
            return np.concatenate([np.arange(low, high) for low, high in self._bounds(depth)])
        with self._lock:
            while len(self._levels) <= depth:
                self._levels.append(self._next(len(self._levels)))
        return self._levels[depth]

    def _bounds(self, depth: int) -> list[tuple[int, int]]:
        levels = self.run.levels
        if depth < len(levels):
            return list(zip(*levels[depth], strict=True))
        return list(zip(levels[-1][1], (high for _, high in self.run.rows()), strict=True))

    def _next(self, depth: int) -> Array:
        store, before = self.run.store, self.level(depth - 1)
        bounds = np.array(self._bounds(depth), np.int64)
        rows = np.empty(int((bounds[:, 1] - bounds[:, 0]).sum()), np.int64)
        count = next_level(store, before, bounds, self._seen, rows)
        return rows[:count]

    def first(self, number: int, hit: tuple[int, int, int]) -> tuple[int, int, int]:
        """(state, thread, choice) of the finding `number`, of which `hit` is a shallowest."""
        run = self.run
        depth = run.depth_of(hit[0])
        if self.is_given(depth):
            return hit
        rows = self.level(depth)
        if number < len(run.monitors):
            item = run.monitors[number]
            state = np.zeros(state_words(run.store), np.uint64)
            index = first_hit(run.store, rows, run.native.address(item.function),
                              item.kind == "sometimes", state)
            return (int(rows[index]), hit[1], hit[2]) if index >= 0 else hit
        if number == run.search.deadlock:
            return int(rows[run.store.terminal[rows] == 2][0]), hit[1], hit[2]
        return self._failure(number, rows) or hit

    def _failure(self, number: int, rows: Array) -> tuple[int, int, int] | None:
        """The first step from these rows that fails an assertion or a check."""
        run, store = self.run, self.run.store
        out = run.native.new_out()
        for row in rows[store.edge_count[rows] > 0]:
            start = int(store.edge_start[row])
            edges = slice(start, start + int(store.edge_count[row]))
            failing = store.edge_thread[edges][store.edge_target[edges] == NO_STATE]
            for thread in dict.fromkeys(int(each) for each in failing):
                state = run.state(int(row))
                for choice in self._choices(state, thread, out):
                    if self._fails(state.copy(), thread, choice, out) == number:
                        return int(row), thread, choice
        return None

    def _choices(self, state: Array, thread: int, out: Array) -> list[int]:
        if self.run.native.step(state.copy(), thread, out, NO_CHOICE) == CHOICE:
            return list(range(int(out[1]), int(out[2])))
        return [NO_CHOICE]

    def _fails(self, state: Array, thread: int, choice: int, out: Array) -> int:
        """The number of the finding that a transition ends with, -1: none."""
        run = self.run
        code = run.native.step(state, thread, out, choice)
        while code == 1 and run.machine.fused[run.native.layout.pc(state, thread)]:
            code = run.native.step(state, thread, out, NO_CHOICE)
        if code not in (FAILED, ERROR):
            return -1
        first = run.search.first_assertion if code == FAILED else run.search.first_error
        return first + int(out[1])
