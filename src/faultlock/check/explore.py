# SPDX-License-Identifier: GPL-2.0-only
"""Breadth-first search over all interleavings of a compiled program.

The search is exhaustive within the program's bounds, under sequential consistency: any
thread that is enabled may take its next step.  It ends early, and says why, at a limit
(states, memory, time) or when it is interrupted; nothing that was found is lost then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from faultlock.check import reduce
from faultlock.check.exploration import (
    Exploration,
    Limits,
    Options,
    Progress,
    renumbered,
)
from faultlock.check.intrinsics import SEGMENT
from faultlock.check.levels import Levels
from faultlock.check.machine import Machine, Search, check_first
from faultlock.check.store import (
    EDGES,
    NO_STATE,
    enter_first,
    make_store,
    pack,
    row_bytes,
    state_words,
)
from faultlock.check.symmetry import no_symmetry, symmetry_of
from faultlock.errors import FaultlockError
from faultlock.lang import program as ir
from faultlock.lang.native import NO_CHOICE, RAN, NativeProgram

__all__ = ["Exploration", "Limits", "Options", "Progress", "build_machine", "edges_in_use",
           "explore", "head_words", "initial_state", "make_search"]
Array = Any
EDGES_PER_STATE = 8  # address space that is reserved for edges; memory is used as needed
MAX_STATES = NO_STATE - 1


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
    Levels(run, limits, progress).search()
    return run


_TABLES: WeakKeyDictionary[NativeProgram, tuple[Machine, list[ir.Property]]] = WeakKeyDictionary()


def build_machine(native: NativeProgram, options: Options) -> tuple[Machine, list[ir.Property]]:
    """The model's tables for the compiled search, and the properties that it monitors."""
    if native not in _TABLES:
        _TABLES[native] = _tables(native)
    machine, monitors = _TABLES[native]
    fused = machine.fused if options.fuse else np.zeros_like(machine.fused)
    symmetry = machine.symmetry if options.symmetry else no_symmetry()
    return machine._replace(fused=fused, reduce=int(options.partial_order),
                            symmetry=symmetry), monitors


def _tables(native: NativeProgram) -> tuple[Machine, list[ir.Property]]:
    """Everything with all reductions on; it takes longer than the search of a small scenario."""
    program, layout = native.program, native.layout
    monitors = [item for item in program.properties if item.kind in ("always", "sometimes")]
    step_mask, future_mask = reduce.conflict_masks(program)
    daemon = np.zeros(len(program.threads) + 1, np.uint8)
    daemon[1:] = [thread.daemon for thread in program.threads]
    parts = reduce.field_parts(layout, head_words(native))
    words = [reduce.monitor_words(program, parts, item.function) for item in monitors]
    machine = Machine(
        native.step_address,
        len(program.threads),
        reduce.fused_labels(program, True),
        daemon,
        1,
        reduce.visible_labels(program),
        step_mask,
        future_mask,
        np.array([native.address(item.function) for item in monitors], np.int64),
        np.array([item.kind == "sometimes" for item in monitors], np.int64),
        np.array(words, np.uint64),
        reduce.label_monitors(program, monitors),
        symmetry_of(program, layout),
    )
    return machine, monitors


def head_words(native: NativeProgram) -> int:
    """Words at the begin of a state that hold the pcs."""
    return -(-native.layout.pc_offset(len(native.program.threads) + 1) // 8)


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
    head = head_words(native)
    whole = not options.fingerprints
    row = row_bytes(head + -(-words // SEGMENT) // 2, whole)
    states = min(limits.states, limits.memory_bytes // row, MAX_STATES)
    states = states // max(options.workers, 1) * 2 if options.workers > 1 else states
    states = min(states + 8192, MAX_STATES // options.workers)
    edges = EDGES_PER_STATE * states * options.edges
    store = make_store(words, head, states, options.workers, edges, whole)
    search = make_search(native.program, len(monitors), options.workers)
    state, _ = renumbered(machine, initial_state(native, machine))
    words_of_state = np.zeros(state_words(store), np.uint64)
    words_of_state[:words] = state.view(np.uint64)
    packed = np.zeros(store.rows.shape[1], np.uint64)
    pack(store, 0, words_of_state, packed)
    row = enter_first(store, packed)
    store.parent[row] = NO_STATE
    check_first(machine, search, row, words_of_state)
    return Exploration(native, options, store, machine, search, state, monitors)


def edges_in_use(run: Exploration) -> int:
    """Edges that were kept."""
    return int(run.store.counters[:, EDGES].sum())
