# SPDX-License-Identifier: GPL-2.0-only
"""The model as the compiled search sees it, what it finds, and one transition of a thread."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from faultlock.check.compiled import compiled, inlined
from faultlock.check.intrinsics import call_property, call_step
from faultlock.check.kinds import I16, I64, U8, U64, I64x2, I64x3, Int, U64x2, U64x3, U64x4, Word
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
    fused: U8  # [L + 1]: local steps that are taken together with the step before
    daemon: U8  # [T + 1]
    reduce: int  # 1: partial order reduction
    visible: U8  # [L + 1]: writes what a property reads, or may fail an assertion
    step_mask: U64x3  # [L + 1, 4, 4]: what the step touches (see reduce.py)
    future_mask: U64x4  # [T + 1, L + 1, 4, 4]: what a thread may touch from a label on
    monitors: I64  # [M]: addresses of properties
    monitor_hit: I64  # [M]: 1 = `sometimes` (hit when true), 0 = `always` (when not true)
    monitor_words: U64  # [M]: the parts of the state that the property reads
    label_monitors: U64  # [L + 1]: a bit per monitor that reads a field the step writes
    symmetry: Symmetry  # interchangeable threads


class Search(NamedTuple):
    """What workers write while they search; F findings: monitors, assertions, errors, deadlock."""

    found: I64x3  # [R, F, 3]: first state, thread, choice; state -1 = not found
    active: U8  # [M]: monitors that have not been hit
    first_assertion: int
    first_error: int
    deadlock: int


class Room(NamedTuple):
    """What one worker works in.  A state is its words, then its packed form."""

    states: U64x2  # [3, words + packed]: the state, its successor, one for the monitors
    queue: U64x2  # [QUEUE, packed + QUEUE_WORDS]
    marks: I64  # [8]: FIRST and COUNT of the queue
    out: I64  # [OUT_WORDS] of the native step
    places: I64x2  # [2, T + 1]: for the renumbering of threads


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
def run_step(machine: Machine, state: U64, pcs: I16, thread: int, choice: int,
             out: I64) -> Int:
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
                   written: Word, changed: Word) -> None:
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


@compiled
def check_first(machine: Machine, search: Search, row: int, state: U64) -> None:
    """Evaluate all properties in the first state."""
    everything = ~np.uint64(0)
    check_monitors(machine, search, 0, row, state.ctypes.data, everything, everything)
