# SPDX-License-Identifier: GPL-2.0-only
"""Breadth-first search over all interleavings of a compiled program.

The search is exhaustive within the program's bounds, under sequential consistency: any
thread that is enabled may take its next step.  It ends early, and says why, at a limit
(states, memory, time) or when it is interrupted; nothing that was found is lost then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_futures
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faultlock.check import reduce
from faultlock.check.store import (
    EDGES,
    NO_STATE,
    SEGMENT,
    STATES,
    TOO_WIDE,
    TRANSITIONS,
    Store,
    bytes_in_use,
    grown,
    hash_of,
    insert,
    make_store,
    pack,
    state_words,
    unpack,
)
from faultlock.check.successors import (
    FOUND_STATE,
    Machine,
    Search,
    check_monitors,
)
from faultlock.check.workers import DONE, STOPPED, TABLE_FULL, work
from faultlock.errors import FaultlockError
from faultlock.lang import program as ir
from faultlock.lang.native import NO_CHOICE, OUT_WORDS, RAN, NativeProgram

Array = Any
PARALLEL_LEVEL = 2048  # levels with fewer states are expanded by one worker
EDGES_PER_STATE = 8  # address space that is reserved for edges; memory is used as needed
MAX_STATES = NO_STATE - 1


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
    edges: keep the graph (for liveness and the point of no return)."""

    fuse: bool = True
    partial_order: bool = True
    edges: bool = True
    workers: int = 2


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
        """(state, thread, choice) of the shallowest finding, or None."""
        found = [self.search.found[worker, number] for worker in range(len(self.search.found))]
        hits = [(int(row[0]), int(row[1]), int(row[2])) for row in found if row[FOUND_STATE] >= 0]
        return min(hits, key=lambda hit: (self.depth_of(hit[0]), hit)) if hits else None

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

    def state(self, row: int) -> Array:
        """The bytes of a state (a copy)."""
        state = np.zeros(state_words(self.store), np.uint64)
        unpack(self.store, self.store.rows[row], state)
        return state.view(np.uint8)[: self.native.layout.size].copy()


def explore(
    native: NativeProgram,
    limits: Limits | None = None,
    options: Options | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Exploration:
    """Search all interleavings; see Exploration."""
    limits, options = limits or Limits(), options or Options()
    if min(limits.states, limits.memory_bytes) <= 0 or limits.seconds <= 0:
        raise FaultlockError("a limit must be more than 0; leave it out for the default")
    run = _start(native, limits, options)
    _Levels(run, limits, progress).search()
    return run


def build_machine(native: NativeProgram, options: Options) -> tuple[Machine, list[ir.Property]]:
    """The model's tables for the compiled search, and the properties that it monitors."""
    program, layout = native.program, native.layout
    monitors = [item for item in program.properties if item.kind in ("always", "sometimes")]
    step_mask, future_mask = reduce.conflict_masks(program)
    daemon = np.zeros(len(program.threads) + 1, np.uint8)
    daemon[1:] = [thread.daemon for thread in program.threads]
    words = [reduce.monitor_words(program, layout, item.function) for item in monitors]
    machine = Machine(
        native.step_address,
        len(program.threads),
        reduce.fused_labels(program, options.fuse),
        daemon,
        int(options.partial_order),
        reduce.visible_labels(program),
        step_mask,
        future_mask,
        np.array([native.address(item.function) for item in monitors], np.int64),
        np.array([item.kind == "sometimes" for item in monitors], np.int64),
        np.array(words, np.uint64),
        reduce.word_parts(layout.size // 8),
    )
    return machine, monitors


def initial_state(native: NativeProgram, machine: Machine) -> Array:
    """The state after setup, each thread moved over the local steps it begins with."""
    state = native.new_state()
    out = native.new_out()
    for thread in range(1, machine.threads + 1):
        while machine.fused[native.layout.pc(state, thread)]:
            if native.step(state, thread, out, NO_CHOICE) != RAN:
                break
    return state


def make_search(program: ir.Program, monitors: int, workers: int) -> Search:
    """Empty findings."""
    assertion = monitors - 1  # assertions are numbered from 1
    error = assertion + len(program.assertions)
    deadlock = error + len(program.errors) + 1
    found = np.full((workers, deadlock + 1, 3), -1, np.int64)
    return Search(found, np.ones(monitors, np.uint8), assertion, error, deadlock)


def _start(native: NativeProgram, limits: Limits, options: Options) -> Exploration:
    machine, monitors = build_machine(native, options)
    words = native.layout.size // 8
    head = -(-native.layout.pc_offset(machine.threads + 1) // 8)
    row_bytes = head * 8 + -(-words // SEGMENT) * 4 + 15
    states = min(limits.states, limits.memory_bytes // row_bytes, MAX_STATES)
    states = states // max(options.workers, 1) * 2 if options.workers > 1 else states
    states = min(states + 8192, MAX_STATES // options.workers)
    edges = EDGES_PER_STATE * states * options.edges
    store = make_store(words, head, states, options.workers, edges)
    search = make_search(native.program, len(monitors), options.workers)
    state = initial_state(native, machine)
    words_of_state = np.zeros(state_words(store), np.uint64)
    words_of_state[:words] = state.view(np.uint64)
    packed = np.zeros(store.rows.shape[1], np.uint64)
    pack(store, 0, words_of_state, packed)
    row, _ = insert(store, 0, packed, np.uint64(hash_of(packed)))
    store.parent[row] = NO_STATE
    check_monitors(machine, search, 0, row, words_of_state, np.uint64((1 << 64) - 1))
    return Exploration(native, options, store, machine, search, state, monitors)


class _Levels:
    """Runs level after level until there are no new states or a limit is reached."""

    def __init__(self, run: Exploration, limits: Limits,
                 progress: Callable[[Progress], None] | None) -> None:
        self.run = run
        self.limits = limits
        self.progress = progress
        self.workers = run.options.workers
        self.stop = np.zeros(8, np.int64)
        width = state_words(run.store) + run.store.rows.shape[1]
        self.scratch = np.zeros((self.workers, 2, width), np.uint64)
        self.out = np.zeros((self.workers, OUT_WORDS), np.int64)
        self.started = time.monotonic()
        self.told = 0.0

    def search(self) -> None:
        run = self.run
        lows = [worker * run.store.region for worker in range(self.workers)]
        with ThreadPoolExecutor(self.workers) as pool:
            while not run.reason:
                highs = [high for _, high in run.rows()]
                if lows == highs:
                    run.complete = True
                    break
                run.levels.append((lows, highs))
                try:
                    self._level(pool, lows, highs)
                except KeyboardInterrupt:
                    self.stop[0] = 1
                    run.interrupted, run.reason = True, "interrupted"
                lows = highs
        run.seconds = time.monotonic() - self.started

    def _level(self, pool: ThreadPoolExecutor, lows: list[int], highs: list[int]) -> None:
        cursors = np.zeros((self.workers, 8), np.int64)
        cursors[:, 0] = lows
        ends = np.array(highs, np.int64)
        size = sum(highs) - sum(lows)
        active = self.workers if size >= PARALLEL_LEVEL else 1
        waiting = list(range(active))
        while waiting and not self.run.reason:
            codes = self._workers(pool, waiting, cursors, ends, size)
            if TABLE_FULL in codes.values():
                self.run.store = grown(self.run.store)
            self._check_limits(codes)
            waiting = [worker for worker, code in codes.items() if code != DONE]

    def _workers(self, pool: ThreadPoolExecutor, workers: list[int], cursors: Array,
                 ends: Array, size: int) -> dict[int, int]:
        run = self.run

        def one(worker: int) -> int:
            return work(run.store, run.machine, run.search, worker, cursors, ends, self.stop,
                        self.scratch[worker], self.out[worker])

        if len(workers) == 1 and size < PARALLEL_LEVEL:
            self._tell()
            return {workers[0]: one(workers[0])}
        futures: dict[Future[int], int] = {pool.submit(one, worker): worker for worker in workers}
        try:
            pending = set(futures)
            while pending:
                _, pending = wait_futures(pending, timeout=0.1, return_when=FIRST_COMPLETED)
                self._tell()
                if self._exceeded():
                    self.stop[0] = 1
        except KeyboardInterrupt:
            self.stop[0] = 1
            wait_futures(futures)
            raise
        return {worker: future.result() for future, worker in futures.items()}

    def _check_limits(self, codes: dict[int, int]) -> None:
        self.run.reason = self._exceeded()
        if not self.run.reason and any(code not in (DONE, TABLE_FULL) for code in codes.values()):
            stopped = STOPPED in codes.values()
            self.run.reason = "stopped" if stopped else "the reserved memory is full"

    def _exceeded(self) -> str:
        store, limits = self.run.store, self.limits
        if store.counters[:, TOO_WIDE].any():
            return "a choose() has more than 500 alternatives"
        if self.run.states >= limits.states:
            return f"limit of {limits.states} states"
        if bytes_in_use(store) >= limits.memory_bytes:
            return f"limit of {limits.memory_bytes >> 20} MiB of memory"
        if time.monotonic() - self.started >= limits.seconds:
            return f"limit of {limits.seconds:g} seconds"
        return ""

    def _tell(self) -> None:
        now = time.monotonic() - self.started
        if self.progress is not None and now - self.told >= 0.1:
            self.told = now
            self.progress(Progress(self.run.states, self.run.depth, now))


def edges_in_use(run: Exploration) -> int:
    """Edges that were kept."""
    return int(run.store.counters[:, EDGES].sum())
