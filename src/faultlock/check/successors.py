# SPDX-License-Identifier: GPL-2.0-only
"""All successors of one state (compiled).

One transition is one step of one thread, followed by the thread's local steps (those that
no other thread and no property can see) when fusion is on.  Partial order reduction: if the
next step of a thread conflicts with nothing that any other thread may still do, and no
property can see it, only this thread is followed, provided that this leads to a state of the
next level (so that no thread is ignored for ever; the queue proviso of Bosnacki and Holzmann,
SPIN 2005).  Which states those are does not depend on who finds them first, so neither does
the reduced graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from faultlock.check.compiled import inlined
from faultlock.check.entering import add_edge, enter
from faultlock.check.intrinsics import SEGMENT
from faultlock.check.kinds import I16, I64
from faultlock.check.machine import (
    BLOCKED,
    CHOICE,
    FAILED,
    MAX_CHOICES,
    NO_CHOICE,
    RAN,
    Machine,
    Room,
    Search,
    note,
    run_step,
)
from faultlock.check.store import (
    EDGES,
    EXPANDED,
    TOO_WIDE,
    TRANSITIONS,
    Store,
    copy,
    unpack,
)

Array = Any


@inlined
def follow(store: Store, machine: Machine, search: Search, worker: int, room: Room, parent: int,
           thread: int, ends: I64) -> tuple[int, int, int]:
    """All transitions of one thread: (successors, those in the next level, failures).

    The successor's words equal the state's before and after."""
    state = room.states[1]
    pcs = state.view(np.int16)
    label = pcs[thread - 1]
    code = run_step(machine, state, pcs, thread, NO_CHOICE, room.out)
    if code == BLOCKED:
        return 0, 0, 0
    low, high = NO_CHOICE, NO_CHOICE + 1
    if code == CHOICE:
        low, high = room.out[1], room.out[2]
        if high - low > MAX_CHOICES:
            store.counters[worker, TOO_WIDE] = 1
            high = low + MAX_CHOICES
    successors, ahead, failures = 0, 0, 0
    for choice in range(low, high):
        if low != NO_CHOICE:
            code = run_step(machine, state, pcs, thread, choice, room.out)
        if code == RAN:
            successors += 1
            row = enter(store, machine, search, worker, room, parent, thread, label)
            ahead += row >= ends[row // store.region]
        elif code != BLOCKED:
            successors += 1
            failures += 1
            first = search.first_assertion if code == FAILED else search.first_error
            note(search, worker, first + room.out[1], parent, thread, choice)
            add_edge(store, worker, thread)
            copy(room.states[0], state)
    return successors, ahead, failures


@inlined
def independent(machine: Machine, pcs: I16, thread: int) -> bool:
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


@inlined
def expand(store: Store, machine: Machine, search: Search, worker: int, room: Room, row: int,
           ends: I64) -> int:
    """Enter all successors of a state, note a deadlock; how many transitions there are.

    ends: of the rows of this level and of those before, per worker."""
    base = room.states[0]
    copy(store.rows[row], base[store.head + len(store.segment_tables) * SEGMENT:])
    unpack(store, store.rows[row], base)
    copy(base, room.states[1])
    pcs = base.view(np.int16)
    start = store.counters[worker, EDGES]
    before = store.counters[worker, TRANSITIONS]
    followed = 0
    done = False
    if machine.reduce:
        for thread in range(1, machine.threads + 1):
            if pcs[thread - 1] != 0 and independent(machine, pcs, thread):
                successors, ahead, failures = follow(
                    store, machine, search, worker, room, row, thread, ends)
                followed |= 1 << thread
                if successors > 0 and ahead > 0 and failures == 0:
                    done = True
                    break
    if not done:
        for thread in range(1, machine.threads + 1):
            if pcs[thread - 1] != 0 and not followed >> thread & 1:
                follow(store, machine, search, worker, room, row, thread, ends)
    transitions: int = store.counters[worker, TRANSITIONS] - before
    if transitions == 0:
        note_end(store, machine, search, worker, row, pcs)
    store.edge_start[row] = worker * store.edge_region + start
    store.edge_count[row] = transitions
    store.counters[worker, EXPANDED] += 1
    return transitions


@inlined
def note_end(store: Store, machine: Machine, search: Search, worker: int, row: int,
             pcs: I16) -> None:
    """No thread can step: a deadlock unless only daemons have not finished."""
    store.terminal[row] = 1
    for thread in range(1, machine.threads + 1):
        if pcs[thread - 1] != 0 and not machine.daemon[thread]:
            store.terminal[row] = 2
    if store.terminal[row] == 2:
        note(search, worker, search.deadlock, row, 0, 0)
