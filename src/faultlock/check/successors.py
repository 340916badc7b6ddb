# SPDX-License-Identifier: GPL-2.0-only
"""All successors of one state, and their entry into the store (compiled).

One transition is one step of one thread, followed by the thread's local steps (those that
no other thread and no property can see) when fusion is on.  Partial order reduction: if the
next step of a thread conflicts with nothing that any other thread may still do, and no
property can see it, only this thread is followed, provided that this leads to a new state
(so that no thread is ignored for ever; the condition for breadth-first search is
Bosnacki and Holzmann's, SPIN 2005).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from faultlock.check.jit import call_property, call_step, compiled
from faultlock.check.store import (
    EDGES,
    EXPANDED,
    NEW,
    NO_STATE,
    SEGMENT,
    TOO_WIDE,
    TRANSITIONS,
    Store,
    copy,
    hash_of,
    insert,
    pack_segment,
    unpack,
)

Array = Any
BLOCKED, RAN, CHOICE, FINISHED, FAILED, ERROR = range(6)
NO_CHOICE = -(1 << 63)
MAX_FUSED_STEPS = 100_000
MAX_CHOICES = 500
# columns of Search.found
FOUND_STATE, FOUND_THREAD, FOUND_CHOICE = 0, 1, 2


class Machine(NamedTuple):
    """The model as the search sees it.  L labels, T threads, M monitors, W words."""

    step: int  # address of the native step function
    threads: int
    fused: Array  # u8 [L + 1]: local steps that are taken together with the step before
    daemon: Array  # u8 [T + 1]
    reduce: int  # 1: partial order reduction
    visible: Array  # u8 [L + 1]: writes what a property reads, or may fail an assertion
    step_mask: Array  # u64 [L + 1, 4, 4]: what the step touches (see reduce.py)
    future_mask: Array  # u64 [T + 1, L + 1, 4, 4]: what a thread may touch from a label on
    monitors: Array  # i64 [M]: addresses of properties
    monitor_hit: Array  # i64 [M]: 1 = `sometimes` (hit when true), 0 = `always` (when not true)
    monitor_words: Array  # u64 [M]: the parts of the state that the property reads
    word_part: Array  # u64 [W]: the part (one bit of 64) that a word belongs to


class Search(NamedTuple):
    """What workers write while they search; F findings: monitors, assertions, errors, deadlock."""

    found: Array  # i64 [R, F, 3]: first state, thread, choice; state -1 = not found
    active: Array  # u8 [M]: monitors that have not been hit
    first_assertion: int
    first_error: int
    deadlock: int


@compiled
def run_step(machine: Machine, state: Array, pcs: Array, thread: int, choice: int,
             out: Array) -> Any:
    """One transition of a thread, local steps included; the code of the native step."""
    address, here, there = machine.step, state.ctypes.data, out.ctypes.data
    out[0] = 0
    code = call_step(address, here, thread, choice, there)
    if code in (BLOCKED, CHOICE, FAILED, ERROR):
        return code
    rounds = 0
    while machine.fused[pcs[thread - 1]] and rounds < MAX_FUSED_STEPS:
        code = call_step(address, here, thread, NO_CHOICE, there)
        if code in (FAILED, ERROR):
            return code
        rounds += 1
    return RAN


@compiled
def check_monitors(machine: Machine, search: Search, worker: int, row: int, state: Array,
                   changed: Any) -> None:
    """Evaluate the properties that read something that changed; note the first hits."""
    for monitor in range(len(machine.monitors)):
        if search.active[monitor] and machine.monitor_words[monitor] & changed:
            value = call_property(machine.monitors[monitor], state.ctypes.data)
            if (value == 1) == (machine.monitor_hit[monitor] == 1):
                search.active[monitor] = 0
                search.found[worker, monitor, FOUND_STATE] = row


@compiled
def note(search: Search, worker: int, number: int, row: int, thread: int, choice: int) -> None:
    """Remember the first time that something was found."""
    if search.found[worker, number, FOUND_STATE] < 0:
        search.found[worker, number, FOUND_STATE] = row
        search.found[worker, number, FOUND_THREAD] = thread
        search.found[worker, number, FOUND_CHOICE] = choice


@compiled
def add_edge(store: Store, worker: int, target: int, thread: int) -> None:
    """Append an edge of the state that is being expanded (when edges are kept)."""
    store.counters[worker, TRANSITIONS] += 1
    if store.edge_region == 0:
        return
    edge = worker * store.edge_region + store.counters[worker, EDGES]
    store.edge_target[edge] = target
    store.edge_thread[edge] = thread
    store.counters[worker, EDGES] += 1


@compiled
def enter(store: Store, machine: Machine, search: Search, worker: int, parent: int,
          scratch: Array, thread: int) -> int:
    """Store the successor in scratch[1] of the state in scratch[0]; NEW or EXISTS."""
    groups = len(store.segment_tables)
    base, state = scratch[0], scratch[1]
    width = store.head + groups * SEGMENT
    packed = state[width:]
    copy(base[width:], packed)
    changed = machine.word_part[0] ^ machine.word_part[0]
    for index in range(store.head):
        if base[index] != state[index]:
            changed |= machine.word_part[index]
            packed[index] = state[index]
    for group in range(groups):
        differs = False
        first = store.head + group * SEGMENT
        for index in range(first, min(first + SEGMENT, store.words)):
            if base[index] != state[index]:
                changed |= machine.word_part[index]
                differs = True
        if differs:
            pack_segment(store, worker, group, state, packed)
    row, kind = insert(store, worker, packed, hash_of(packed))
    if kind == NEW:
        store.parent[row] = parent
        check_monitors(machine, search, worker, row, state, changed)
    add_edge(store, worker, row, thread)
    return kind


@compiled
def follow(store: Store, machine: Machine, search: Search, worker: int, parent: int,
           scratch: Array, thread: int, out: Array) -> tuple[int, int, int]:
    """All transitions of one thread from scratch[0]: (successors, new ones, failures)."""
    base, state = scratch[0], scratch[1]
    pcs = state.view(np.int16)
    copy(base, state)
    code = run_step(machine, state, pcs, thread, NO_CHOICE, out)
    if code == BLOCKED:
        return 0, 0, 0
    low, high = NO_CHOICE, NO_CHOICE + 1
    if code == CHOICE:
        low, high = out[1], out[2]
        if high - low > MAX_CHOICES:
            store.counters[worker, TOO_WIDE] = 1
            high = low + MAX_CHOICES
    successors, new, failures = 0, 0, 0
    for choice in range(low, high):
        if low != NO_CHOICE:
            copy(base, state)
            code = run_step(machine, state, pcs, thread, choice, out)
        if code == RAN:
            successors += 1
            new += enter(store, machine, search, worker, parent, scratch, thread)
        elif code != BLOCKED:
            successors += 1
            failures += 1
            first = search.first_assertion if code == FAILED else search.first_error
            note(search, worker, first + out[1], parent, thread, choice)
            add_edge(store, worker, NO_STATE, thread)
    return successors, new, failures


@compiled
def independent(machine: Machine, pcs: Array, thread: int) -> bool:
    """Whether the thread's next step conflicts with nothing that the others may still do."""
    label = pcs[thread - 1]
    if machine.visible[label]:
        return False
    for other in range(1, machine.threads + 1):
        there = pcs[other - 1]
        if other == thread or there == 0:
            continue
        for kind in range(4):
            for word in range(4):
                touched = machine.step_mask[label, kind, word]
                if touched & machine.future_mask[other, there, kind, word]:
                    return False
    return True


@compiled
def expand(store: Store, machine: Machine, search: Search, worker: int, row: int,
           scratch: Array, out: Array) -> None:
    """Enter all successors of a state; note a deadlock."""
    base = scratch[0]
    copy(store.rows[row], base[store.head + len(store.segment_tables) * SEGMENT:])
    unpack(store, store.rows[row], base)
    pcs = base.view(np.int16)
    start = store.counters[worker, EDGES]
    transitions = store.counters[worker, TRANSITIONS]
    followed = 0
    done = False
    if machine.reduce:
        for thread in range(1, machine.threads + 1):
            if pcs[thread - 1] != 0 and independent(machine, pcs, thread):
                successors, new, failures = follow(
                    store, machine, search, worker, row, scratch, thread, out)
                followed |= 1 << thread
                if successors > 0 and new > 0 and failures == 0:
                    done = True
                    break
    if not done:
        for thread in range(1, machine.threads + 1):
            if pcs[thread - 1] != 0 and not followed >> thread & 1:
                follow(store, machine, search, worker, row, scratch, thread, out)
    if store.counters[worker, TRANSITIONS] == transitions:
        note_end(store, machine, search, worker, row, pcs)
    store.edge_start[row] = worker * store.edge_region + start
    store.edge_count[row] = store.counters[worker, TRANSITIONS] - transitions
    store.counters[worker, EXPANDED] += 1


@compiled
def note_end(store: Store, machine: Machine, search: Search, worker: int, row: int,
             pcs: Array) -> None:
    """No thread can step: a deadlock unless only daemons have not finished."""
    store.terminal[row] = 1
    for thread in range(1, machine.threads + 1):
        if pcs[thread - 1] != 0 and not machine.daemon[thread]:
            store.terminal[row] = 2
    if store.terminal[row] == 2:
        note(search, worker, search.deadlock, row, 0, 0)
