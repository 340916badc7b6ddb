# SPDX-License-Identifier: GPL-2.0-only
"""Random runs: a quick look before the search, and a way into spaces that are too large.

Half of the runs choose among the enabled threads uniformly; the other half are PCT (Burckhardt
et al., ASPLOS 2010): threads have random priorities, the highest enabled one runs, and at a few
random steps the running thread drops to the lowest priority.  A finding is a violation; no
finding means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faultlock.check.compiled import compiled
from faultlock.check.explore import Options, build_machine, initial_state, make_search
from faultlock.check.hashing import mix
from faultlock.check.kinds import I64, U64, Int
from faultlock.check.machine import (
    BLOCKED,
    CHOICE,
    NO_CHOICE,
    RAN,
    Machine,
    Search,
    check_monitors,
    note,
    run_step,
)
from faultlock.lang.native import OUT_WORDS, NativeProgram

Array = Any
MAX_STEPS = 5000  # of one run
DEPTH = 3  # of PCT: bugs that need that many ordered steps
TYPICAL_LENGTH = 200  # steps among which PCT puts its change points


@dataclass
class Walks:
    """What random runs have found: property names, each with the run that found it first."""

    runs: int
    seed: int
    found: dict[str, int] = field(default_factory=dict)

    def summary(self) -> str:
        """One line."""
        hits = ", ".join(f"{name} (run {number})" for name, number in self.found.items())
        return f"{self.runs} random runs (seed {self.seed}) violate: {hits or 'nothing'}"


@compiled
def draw(random: U64, bound: int) -> Int:
    """A number from 0 to bound - 1."""
    random[0] += np.uint64(0x9E3779B97F4A7C15)
    return np.int64(mix(random[0]) >> np.uint64(1)) % bound


@compiled
def pick_choice(random: U64, low: int, high: int) -> Int:
    """A choice, or NO_CHOICE when there is none."""
    return NO_CHOICE if high <= low else low + draw(random, high - low)


@compiled
def try_thread(machine: Machine, state: U64, trial: U64, thread: int, out: I64,
               random: U64) -> Int:
    """One transition of a thread into `trial`, with a random choice; the code."""
    pcs = trial.view(np.int16)
    for index in range(len(state)):
        trial[index] = state[index]
    code = run_step(machine, trial, pcs, thread, NO_CHOICE, out)
    if code != CHOICE:
        return code
    low, high = out[1], out[2]
    first = pick_choice(random, low, high)
    for turn in range(high - low):
        choice = low + (first - low + turn) % (high - low)
        for index in range(len(state)):
            trial[index] = state[index]
        code = run_step(machine, trial, pcs, thread, choice, out)
        if code != BLOCKED:
            return code
    return BLOCKED


@compiled
def pick_thread(machine: Machine, priorities: I64, tried: int, random: U64,
                pct: bool) -> int:
    """The next thread to try, or 0 when all were tried."""
    best, count = 0, 0
    for thread in range(1, machine.threads + 1):
        if tried >> thread & 1:
            continue
        count += 1
        if pct:
            if best == 0 or priorities[thread] > priorities[best]:
                best = thread
        elif draw(random, count) == 0:
            best = thread
    return best


@compiled
def walk(machine: Machine, search: Search, number: int, pct: bool, state: U64, trial: U64,
         out: I64, random: U64, priorities: I64) -> None:
    """One run to its end, a violation, or MAX_STEPS."""
    for thread in range(1, machine.threads + 1):
        priorities[thread] = DEPTH + draw(random, 1 << 20)
    change, lowest = draw(random, TYPICAL_LENGTH), DEPTH
    everything = ~np.uint64(0)
    pcs = state.view(np.int16)
    for step in range(MAX_STEPS):
        tried, taken = 0, 0
        for thread in range(1, machine.threads + 1):
            if pcs[thread - 1] == 0:
                tried |= 1 << thread
        while taken == 0:
            thread = pick_thread(machine, priorities, tried, random, pct)
            if thread == 0:
                break
            tried |= 1 << thread
            code = try_thread(machine, state, trial, thread, out, random)
            if code == RAN:
                taken = thread
            elif code != BLOCKED:
                first = search.first_assertion if code == 4 else search.first_error
                note(search, 0, first + out[1], number, thread, 0)
                return
        if taken == 0:
            for thread in range(1, machine.threads + 1):
                if pcs[thread - 1] != 0 and not machine.daemon[thread]:
                    note(search, 0, search.deadlock, number, thread, 0)
            return
        for index in range(len(state)):
            state[index] = trial[index]
        check_monitors(machine, search, 0, number, state.ctypes.data, everything, everything)
        if step == change:
            lowest -= 1
            priorities[taken] = lowest
            change += 1 + draw(random, TYPICAL_LENGTH)


def random_walks(native: NativeProgram, runs: int, seed: int = 1) -> Walks:
    """Random runs of a compiled program; the same seed gives the same runs."""
    from faultlock.check.verdict import finding_names

    machine, monitors = build_machine(native, Options())
    search = make_search(native.program, len(monitors), 1)
    initial = initial_state(native, machine).view(np.uint64)
    trial, out = np.zeros_like(initial), np.zeros(OUT_WORDS, np.int64)
    priorities = np.zeros(machine.threads + 1, np.int64)
    random = np.array([seed], np.uint64)
    for number in range(runs):
        walk(machine, search, number, number % 2 == 1, initial.copy(), trial, out, random,
             priorities)
    walks = Walks(runs, seed)
    names = finding_names(native.program, monitors)
    for place, name in enumerate(names):
        hit = int(search.found[0, place, 0])
        if hit >= 0 and name:
            walks.found[name] = min(hit, walks.found.get(name, hit)) + 1
    return walks
