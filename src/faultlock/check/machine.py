# SPDX-License-Identifier: GPL-2.0-only
"""The model as the compiled search sees it, what it finds, and one transition of a thread."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from faultlock.check.jit import call_property, call_step, inlined
from faultlock.check.permute import Symmetry

Array = Any
BLOCKED, RAN, CHOICE, FINISHED, FAILED, ERROR = range(6)
NO_CHOICE = -(1 << 63)
MAX_FUSED_STEPS = 100_000
MAX_CHOICES = 500
# columns of Search.found
FOUND_STATE, FOUND_THREAD, FOUND_CHOICE = 0, 1, 2
# successors that wait for their lookup; the words behind the packed state of one
QUEUE = 16
HASH, PARENT, EDGE, MONITORS, CHANGED = range(5)
QUEUE_WORDS = 5
FIRST, COUNT = 0, 1


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
    label_monitors: Array  # u64 [L + 1]: a bit per monitor that reads a field the step writes
    symmetry: Symmetry  # interchangeable threads


class Search(NamedTuple):
    """What workers write while they search; F findings: monitors, assertions, errors, deadlock."""

    found: Array  # i64 [R, F, 3]: first state, thread, choice; state -1 = not found
    active: Array  # u8 [M]: monitors that have not been hit
    first_assertion: int
    first_error: int
    deadlock: int


class Room(NamedTuple):
    """What one worker works in.  A state is its words, then its packed form."""

    states: Array  # u64 [3, words + packed]: the state, its successor, one for the monitors
    queue: Array  # u64 [QUEUE, packed + QUEUE_WORDS]
    marks: Array  # i64 [8]: FIRST and COUNT of the queue
    out: Array  # i64 [OUT_WORDS] of the native step
    places: Array  # i64 [2, T + 1]: for the renumbering of threads


def make_room(words: int, packed: int, threads: int, out_words: int) -> Room:
    """Room for one worker; words: of a state in whole segments, packed: of a row."""
    return Room(
        np.zeros((3, words + packed), np.uint64),
        np.zeros((QUEUE, packed + QUEUE_WORDS), np.uint64),
        np.zeros(8, np.int64),
        np.zeros(out_words, np.int64),
        np.zeros((2, threads + 1), np.int64),
    )


@inlined
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


@inlined
def check_monitors(machine: Machine, search: Search, worker: int, row: int, state: int,
                   written: Any, changed: Any) -> None:
    """Evaluate the properties that read something that changed; note the first hits.

    state: address; written: bits of the properties that read a field that was written;
    changed: the parts of the state that changed."""
    for monitor in range(len(machine.monitors)):
        if not written >> np.uint64(monitor & 63) & np.uint64(1):
            continue
        if search.active[monitor] and machine.monitor_words[monitor] & changed:
            value = call_property(machine.monitors[monitor], state)
            if (value == 1) == (machine.monitor_hit[monitor] == 1):
                search.active[monitor] = 0
                search.found[worker, monitor, FOUND_STATE] = row


@inlined
def note(search: Search, worker: int, number: int, row: int, thread: int, choice: int) -> None:
    """Remember the first time that something was found."""
    if search.found[worker, number, FOUND_STATE] < 0:
        search.found[worker, number, FOUND_STATE] = row
        search.found[worker, number, FOUND_THREAD] = thread
        search.found[worker, number, FOUND_CHOICE] = choice
