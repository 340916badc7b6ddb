# SPDX-License-Identifier: GPL-2.0-only
"""How many reads one operation of a thread can wait for: the longest run over the whole graph.

An operation lasts from entry into the kernel to return to user mode (`kernel_depth`).  It waits
for a read when its thread sleeps until the read's folio is unlocked, or until a thread does that
holds what it waits for, over any number of threads.  A read counts when it completes while the
operation waits for it.  Waiting for a free request is not counted.  The graph must be one
without partial order reduction, which leaves out runs that differ in who waits only, and without
symmetry, which mixes up who waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from faultlock.check.compiled import compiled, inlined
from faultlock.check.cycles import find_components
from faultlock.check.explain import GHOST_OF_STRUCT, SLEEPING_LOCKS, own_first
from faultlock.check.exploration import Exploration, Limits, Options
from faultlock.check.explore import explore
from faultlock.check.intrinsics import call_step
from faultlock.check.kinds import I64, U8, U16, U32, U64, I64x3, Int, U64x2, Word
from faultlock.check.machine import BLOCKED, NO_CHOICE
from faultlock.check.path import thread_name
from faultlock.check.side_by_side import side_by_side
from faultlock.check.store import NO_STATE, Store, state_words, unpack
from faultlock.lang.layout import Layout
from faultlock.lang.native import OUT_WORDS

Array = Any
MAX_THREADS = 15  # sets of threads have 16 bits: less memory to touch
WEIGHS = 1  # in `inside`: bit 0, which is no thread
MAX_STATES = 4_000_000  # of the graph without partial order reduction


@dataclass(frozen=True)
class IoBound:
    """Reads that one operation of a thread waits for, at most; None: there is no bound."""

    thread: str
    reads: int | None


class WaitTables(NamedTuple):
    """Where a state says who waits for what.  S structs, K kinds of holding, R rwsems."""

    step: int  # address of the native step function
    threads: int
    struct_kind: I64  # [S + 1]: kind of holding of an instance of the struct, -1: none
    sem_kind: I64  # [R + 1]
    sem_owner: I64  # [R + 1]: instance that the rwsem is a field of
    holding: I64x3  # [K, T + 1, 2]: (byte offset, width) of the thread's ghost field
    depth: I64  # [T + 1]: byte offset of kernel_depth, -1: there is no such field
    folio_struct: int
    rwsem_struct: int
    reading: I64  # [F + 1]: byte offset of folio.reading, -1: none


@inlined
def value_at(state: U8, offset: int, width: int) -> Int:
    """An unsigned little-endian number of a state (bytes)."""
    value: Any = 0
    for index in range(width):
        value |= np.int64(state[offset + index]) << (8 * index)
    return value


@inlined
def holders_of(tables: WaitTables, state: U8, kind: int, instance: int) -> Word:
    """Bit set of the threads that hold an instance."""
    found = np.uint64(0)
    for thread in range(1, tables.threads + 1):
        offset, width = tables.holding[kind, thread, 0], tables.holding[kind, thread, 1]
        if offset >= 0 and value_at(state, offset, width) == instance:
            found |= np.uint64(1) << np.uint64(thread)
    return found


@compiled
def find_waits(tables: WaitTables, words: U64, trial: U64, out: I64, blocked_by: U64,
               folio: I64) -> None:
    """blocked_by[thread]: bit set of who holds what the thread waits for; folio[thread]: the
    folio whose read it waits for, 0: none."""
    state = words.view(np.uint8)
    pcs = words.view(np.int16)
    for thread in range(1, tables.threads + 1):
        blocked_by[thread] = np.uint64(0)
        folio[thread] = 0
        if pcs[thread - 1] == 0:
            continue
        for index in range(len(words)):
            trial[index] = words[index]
        out[2], out[3] = 0, 0
        code = call_step(tables.step, trial.ctypes.data, thread, NO_CHOICE, out.ctypes.data)
        struct, instance = out[2], out[3]
        if code != BLOCKED or instance == 0 or struct <= 0:
            continue
        kind = tables.struct_kind[struct]
        is_folio = struct == tables.folio_struct and tables.reading[instance] >= 0
        if is_folio and state[tables.reading[instance]]:
            folio[thread] = instance
            continue
        if struct == tables.rwsem_struct:
            kind, instance = tables.sem_kind[instance], tables.sem_owner[instance]
        if kind >= 0:
            blocked_by[thread] = holders_of(tables, state, kind, instance)


@inlined
def waiting_for(tables: WaitTables, blocked_by: U64, folio: I64, wanted: int) -> Word:
    """Bit set of the threads that wait for the read of a folio, directly or not."""
    found = np.uint64(0)
    for thread in range(1, tables.threads + 1):
        if folio[thread] == wanted:
            found |= np.uint64(1) << np.uint64(thread)
    before = ~found
    while before != found:
        before = found
        for thread in range(1, tables.threads + 1):
            if blocked_by[thread] & found:
                found |= np.uint64(1) << np.uint64(thread)
    return found


@compiled
def weigh(store: Store, low: int, high: int, tables: WaitTables, room: U64x2, out: I64,
          blocked_by: U64, folio: I64, inside: U16, weight: U16) -> Word:
    """inside[row]: bit set of the threads in an operation; weight[edge]: of those that wait for
    a read that the edge completes, and then the bit WEIGHS of its row; for these rows.  Returns
    the threads that ever wait.  room: u64 [3, words]."""
    words, after = room[0], room[1]
    state, then = words.view(np.uint8), after.view(np.uint8)
    pcs = words.view(np.int16)
    ever = np.uint64(0)
    for row in range(low, high):
        unpack(store, store.rows[row], words)
        for thread in range(1, tables.threads + 1):
            depth = tables.depth[thread]
            busy = state[depth] != 0 if depth >= 0 else pcs[thread - 1] != 0
            if busy:
                inside[row] |= 1 << thread
        known = False
        for number in range(1, len(tables.reading)):
            place = tables.reading[number]
            if place < 0 or not state[place]:
                continue
            begin = store.edge_start[row]
            for edge in range(begin, begin + store.edge_count[row]):
                if store.edge_target[edge] == NO_STATE:
                    continue
                unpack(store, store.rows[store.edge_target[edge]], after)
                if then[place]:
                    continue
                if not known:
                    find_waits(tables, words, room[2], out, blocked_by, folio)
                    known = True
                waiting = waiting_for(tables, blocked_by, folio, number)
                if waiting:
                    weight[edge] |= np.int64(waiting)
                    inside[row] |= WEIGHS
                    ever |= waiting
    return ever


@inlined
def ahead(store: Store, row: int, mine: int, inside: U16, weight: U16, component: U32,
          thread: int, most: U32) -> tuple[int, bool]:
    """The largest sum of weights along a run from a row inside an operation of a thread, as far
    as it is known; whether the thread waits on an edge inside the row's component (0: it has
    none with such edges)."""
    weighs = inside[row] & WEIGHS
    found, endless = 0, False
    begin = store.edge_start[row]
    for edge in range(begin, begin + store.edge_count[row]):
        target = store.edge_target[edge]
        reads: Int = weight[edge] >> thread & 1 if weighs else 0
        if target != NO_STATE and inside[target] >> thread & 1:
            if mine and component[target] == mine:
                endless = endless or reads != 0
                continue
            reads += most[target]
        found = max(found, reads)
    return found, endless


@compiled
def longest(store: Store, cyclic: U32, component: U32, before: U32, inside: U16, weight: U16,
            thread: int, most: U32) -> int:
    """The largest sum of weights along a run inside an operation of a thread; -1: no bound.

    cyclic: rows by component, sinks first; component: their numbers; before: the rows that no
    cycle leads to, sinks last; most: u32 per row, zeroed."""
    best, first = 0, 0
    while first < len(cyclic):
        last, here, mine = first, 0, component[cyclic[first]]
        while last < len(cyclic) and component[cyclic[last]] == mine:
            row: Int = cyclic[last]
            found, endless = ahead(store, row, mine, inside, weight, component, thread, most)
            if endless:
                return -1
            here = max(here, found)
            last += 1
        for place in range(first, last):
            most[cyclic[place]] = here
        best = max(best, here)
        first = last
    for place in range(len(before) - 1, -1, -1):
        row = before[place]
        if inside[row] >> thread & 1:
            found, _ = ahead(store, row, 0, inside, weight, component, thread, most)
            if found:
                most[row] = found
            best = max(best, found)
    return best


def wait_tables(run: Exploration) -> WaitTables:
    """The tables of a program; models without folios have none that matter."""
    program, layout = run.program, run.native.layout
    kinds = sorted({*SLEEPING_LOCKS.values(), *GHOST_OF_STRUCT.values()})
    numbers = {name: item.number for name, item in program.structs.items()}
    struct_kind = np.full(max(numbers.values(), default=0) + 1, -1, np.int64)
    for struct, ghost in GHOST_OF_STRUCT.items():
        if struct in numbers:
            struct_kind[numbers[struct]] = kinds.index(ghost)
    sems = layout.counts.get("RwSemaphore", 0)
    sem_kind, sem_owner = np.full(sems + 1, -1, np.int64), np.zeros(sems + 1, np.int64)
    for (owner, field), ghost in SLEEPING_LOCKS.items():
        first = own_first(program, owner, field) if owner in numbers else None
        for instance in range(1, layout.counts.get(owner, 0) + 1) if first is not None else ():
            assert first is not None
            sem_kind[first + instance], sem_owner[first + instance] = kinds.index(ghost), instance
    threads = len(program.threads)
    holding = np.full((len(kinds), threads + 1, 2), -1, np.int64)
    for kind, ghost in enumerate(kinds):
        holding[kind] = _places(layout, "Thread", ghost, threads)
    return WaitTables(
        run.native.step_address, threads, struct_kind, sem_kind, sem_owner, holding,
        _places(layout, "Thread", "kernel_depth", threads)[:, 0].copy(),
        numbers.get("Folio", 0), numbers.get("RwSemaphore", 0),
        _places(layout, "Folio", "reading", layout.counts.get("Folio", 0))[:, 0].copy(),
    )


def _places(layout: Layout, struct: str, field: str, count: int) -> Array:
    """i64 [count + 1, 2]: (byte offset, width) of a field per instance; -1 where there is none."""
    found = np.full((count + 1, 2), -1, np.int64)
    declared = layout.program.structs.get(struct)
    if declared is None or field not in declared.fields:
        return found
    if (struct, field) in layout.program.pruned:
        return found
    for instance in range(1, count + 1):
        found[instance] = layout.offset(struct, field, instance)
    return found


def bounds_of(run: Exploration, limits: Limits) -> list[IoBound] | None:
    """The bounds of a scenario that was searched; None: not known, a limit was reached."""
    if not run.options.edges or run.machine.threads > MAX_THREADS:
        return None
    if run.is_reduced and run.complete:
        limits = replace(limits, states=min(limits.states, MAX_STATES))
        options: Options = replace(run.options, partial_order=False, symmetry=False)
        run = explore(run.native, limits, options)
    return io_bounds(run) if run.complete else None


def io_bounds(run: Exploration) -> list[IoBound]:
    """The bound of every thread that is no daemon; run: complete, edges, no partial order."""
    rows = len(run.store.parent)
    inside = np.zeros(rows, np.uint16)
    weight = np.zeros(len(run.store.edge_target), np.uint16)
    ever = _weights(run, inside, weight)
    threads = [thread for thread, entry in enumerate(run.program.threads, start=1)
               if not entry.daemon]

    def bound(thread: int) -> IoBound:
        reads = 0  # a thread that never waits needs no search for the longest run
        if ever >> thread & 1:
            component = np.zeros(rows, np.uint32)
            _, cyclic = find_components(run, _inside(run, inside, thread), component)
            reads = int(longest(run.store, cyclic, component, run.cycles.before, inside,
                                weight, thread, np.zeros(rows, np.uint32)))
        return IoBound(thread_name(run.program, thread), None if reads < 0 else reads)

    return side_by_side(run.options.workers, [partial(bound, thread) for thread in threads])


def _weights(run: Exploration, inside: Array, weight: Array) -> int:
    """Fill in what weigh() does, by all workers; the threads that ever wait, a bit set."""
    tables = wait_tables(run)
    workers = run.options.workers

    def part(low: int, high: int) -> int:
        return int(weigh(run.store, low, high, tables,
                         np.zeros((3, state_words(run.store)), np.uint64),
                         np.zeros(OUT_WORDS, np.int64), np.zeros(MAX_THREADS + 1, np.uint64),
                         np.zeros(MAX_THREADS + 1, np.int64), inside, weight))

    ends = [np.linspace(low, high, workers + 1).astype(int).tolist() for low, high in run.rows()]
    parts = [partial(part, *pair) for each in ends for pair in pairwise(each)]

    def cycles() -> int:  # needed next, by one core: the others weigh meanwhile
        _ = run.cycles
        return 0

    work: list[Callable[[], int]] = [cycles, *parts]
    found = 0
    for ever in side_by_side(workers, work):
        found |= ever
    return found


def _inside(run: Exploration, inside: Array, thread: int) -> Array:
    """u8 per row that may be on a cycle: whether the thread is in an operation."""
    alive = np.zeros(len(inside), np.uint8)
    left = run.cycles.left
    alive[left] = inside[left] >> thread & 1
    return alive
