# SPDX-License-Identifier: GPL-2.0-only
"""A search of all interleavings: its limits, its options, what it has found."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from faultlock.check.machine import FOUND_STATE, Machine, Search
from faultlock.check.permute import renumber
from faultlock.check.store import (
    NO_STATE,
    STATES,
    TRANSITIONS,
    Store,
    read_state,
    state_words,
)
from faultlock.lang import program as ir
from faultlock.lang.native import NativeProgram

if TYPE_CHECKING:
    from faultlock.check.cycles import Cycles
    from faultlock.check.order import Order

Array = Any
PARALLEL_LEVEL = 1024  # levels with fewer states are expanded by one worker


@dataclass(frozen=True)
class Limits:
    """Where a search gives up: stored states, bytes of memory, seconds."""

    states: int = 50_000_000
    memory_bytes: int = 4 << 30
    seconds: float = 3600.0


@dataclass(frozen=True)
class Options:
    """Reductions, each can be switched off, and what is kept.

    fuse: take local steps together with the step before; partial_order: ample sets;
    symmetry: interchangeable threads; fingerprints: keep 64 bits of a state instead of all; edges:
    keep the graph (for liveness and the point of no
    return); bounds: work out how many reads an operation can wait for."""

    fuse: bool = True
    partial_order: bool = True
    edges: bool = True
    workers: int = 2
    bounds: bool = True
    symmetry: bool = True
    fingerprints: bool = False


@dataclass
class Progress:
    """Told to the caller while the search runs."""

    states: int
    depth: int
    seconds: float


@dataclass
class Exploration:
    """What a search has found.  `complete` is False when it ended early, for `reason`."""

    native: NativeProgram
    options: Options
    store: Store
    machine: Machine
    search: Search
    initial: Array
    monitors: list[ir.Property]
    levels: list[tuple[list[int], list[int]]] = field(default_factory=list)
    complete: bool = False
    reason: str = ""
    interrupted: bool = False
    seconds: float = 0.0

    @functools.cached_property
    def order(self) -> Order:
        """The order in which a single worker finds the states."""
        from faultlock.check.order import Order

        return Order(self)

    @functools.cached_property
    def cycles(self) -> Cycles:
        """Which states may be on cycles; the graph must be complete."""
        from faultlock.check.cycles import find_cycles

        return find_cycles(self)

    @property
    def program(self) -> ir.Program:
        """The program that was searched."""
        return self.native.program

    @property
    def states(self) -> int:
        """Stored states."""
        return int(self.store.counters[:, STATES].sum())

    @property
    def transitions(self) -> int:
        """Transitions that were taken."""
        return int(self.store.counters[:, TRANSITIONS].sum())

    @property
    def depth(self) -> int:
        """Steps to the farthest state on a shortest path."""
        return max(len(self.levels) - 1, 0)

    def rows(self) -> Iterator[tuple[int, int]]:
        """(low, high) ranges of the rows in use, per worker."""
        for worker in range(len(self.store.counters)):
            low = worker * self.store.region
            yield low, low + int(self.store.counters[worker, STATES])

    def first(self, number: int) -> tuple[int, int, int] | None:
        """(state, thread, choice) of the shallowest finding, or None: the one that a single
        worker comes across first, however many there were."""
        found = [self.search.found[worker, number] for worker in range(len(self.search.found))]
        hits = [(int(row[0]), int(row[1]), int(row[2])) for row in found if row[FOUND_STATE] >= 0]
        if not hits:
            return None
        best = min(hits, key=lambda hit: (self.depth_of(hit[0]), hit))
        return self.order.first(number, best)

    def depth_of(self, row: int) -> int:
        """Transitions on the shortest path to a state."""
        depth = 0
        while self.store.parent[row] != NO_STATE:
            row = int(self.store.parent[row])
            depth += 1
        return depth

    def path_rows(self, row: int) -> list[int]:
        """The states of a shortest path from the initial state, both ends included."""
        rows = [row]
        while self.store.parent[rows[-1]] != NO_STATE:
            rows.append(int(self.store.parent[rows[-1]]))
        return rows[::-1]

    @property
    def is_symmetric(self) -> bool:
        """Whether states that differ in thread numbers only were taken for one."""
        return len(self.machine.symmetry.sizes) > 0

    @property
    def is_reduced(self) -> bool:
        """Whether runs were left out of the graph, or states taken for one."""
        return self.options.partial_order or self.is_symmetric

    def state(self, row: int) -> Array:
        """The bytes of a state (a copy).  With fingerprints it is worked out again from the
        first one on."""
        if not self.store.whole:
            from faultlock.check.path import state_again

            return state_again(self, row)
        state = np.zeros(state_words(self.store), np.uint64)
        read_state(self.store, int(row), state)
        return state.view(np.uint8)[: self.native.layout.size].copy()


def renumbered(machine: Machine, state: Array) -> tuple[Array, Array]:
    """The state (bytes) that stands for this one when threads are interchangeable, a copy; and
    for every thread the number that it has there."""
    found = state.copy()
    words = found.view(np.uint64)
    places = np.zeros((2, machine.threads + 1), np.int64)
    renumber(machine.symmetry, machine.threads, words, np.zeros_like(words), places)
    return found, places[1]
