# SPDX-License-Identifier: GPL-2.0-only
"""Search that keeps 64 bits of each state instead of the state.

The rows of a level are needed while it is expanded; then their memory goes back to the system
and their fingerprints stay.  Two states with one fingerprint are taken for one: what would have
been found behind the second may be missed.  If fingerprints are as good as drawn at random, the
probability that this happens at all among N states is below N**2 / 2**65, and every verdict says
so.

What is asked about a state later is noted before its row goes (FACTS): which threads have not
ended, and whether each `eventually` holds.  A level in which something was found first keeps its
rows.  The state of another row is worked out again along its path.
"""

from __future__ import annotations

import functools
import mmap
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from faultlock.check.compiled import compiled
from faultlock.check.exploration import Exploration
from faultlock.check.hashing import fingerprint_of
from faultlock.check.intrinsics import call_property
from faultlock.check.kinds import I64, U64, Word
from faultlock.check.side_by_side import side_by_side
from faultlock.check.store import Store, pack, state_words, unpack
from faultlock.errors import FaultlockError

if TYPE_CHECKING:
    from faultlock.lang import program as ir

Array = Any
FIRST_PROPERTY = 20  # bits of Store.facts: threads 1 to 19 that have not ended, then properties
PROPERTIES = 32 - FIRST_PROPERTY
PIECE = 1 << 21  # memory goes back in pieces of this size: those that the system uses


def missed_below(states: int) -> float:
    """The bound on the probability that a state was missed."""
    return states**2 / 2.0**65


@compiled
def fingerprint_of_state(store: Store, state: U64, packed: U64) -> Word:
    """The fingerprint of a state that has been stored (its segments have numbers)."""
    pack(store, 0, state, packed)
    return fingerprint_of(packed)


@compiled
def note_facts(store: Store, low: int, high: int, threads: int, properties: I64,
               state: U64) -> None:
    """Store.facts of these rows; properties: addresses; state: room for one."""
    pcs = state.view(np.int16)
    for row in range(low, high):
        unpack(store, store.rows[row], state)
        found = 0
        for thread in range(1, threads + 1):
            if pcs[thread - 1] != 0:
                found |= 1 << thread
        for number in range(len(properties)):
            if call_property(properties[number], state.ctypes.data) == 1:
                found |= 1 << (FIRST_PROPERTY + number)
        store.facts[row] = found


def eventually_of(run: Exploration) -> list[ir.Property]:
    """The properties whose truth is noted."""
    return [item for item in run.program.properties if item.kind == "eventually"]


class RowsThatGo:
    """Lets the rows of expanded levels go."""

    def __init__(self, run: Exploration, workers: int) -> None:
        if run.machine.threads >= FIRST_PROPERTY or len(eventually_of(run)) > PROPERTIES:
            raise FaultlockError(f"fingerprints: a scenario may have {FIRST_PROPERTY - 1} threads "
                                 f"and {PROPERTIES} eventually; leave --fingerprints out")
        self.run = run
        self.workers = workers
        self.properties = np.array([run.native.address(item.function)
                                    for item in eventually_of(run)], np.int64)
        self.done = [worker * run.store.region * self._width()  # bytes of rows, per region
                     for worker in range(len(run.store.counters))]

    def _width(self) -> int:
        return int(self.run.store.rows.shape[1]) * 8

    def close(self, lows: list[int], highs: list[int]) -> None:
        """Note what is needed of the rows of a level, one range per region, and let them go
        unless something was found in them."""
        run, parts = self.run, []
        words = state_words(run.store)
        for low, high in zip(lows, highs, strict=True):
            middle = (low + high) // 2
            parts += [partial(note_facts, run.store, *pair, run.machine.threads, self.properties,
                              np.zeros(words, np.uint64))
                      for pair in ((low, middle), (middle, high)) if pair[0] < pair[1]]
        side_by_side(self.workers, parts)
        keep = self._has_findings(lows, highs)
        for region, high in enumerate(highs):
            if keep:
                self.done[region] = high * self._width()
            else:
                self._let_go(region, high)

    def _has_findings(self, lows: list[int], highs: list[int]) -> bool:
        found = self.run.search.found[:, :, 0]
        return any(bool(((found >= low) & (found < high)).any())
                   for low, high in zip(lows, highs, strict=True))

    def _let_go(self, region: int, high: int) -> None:
        rows = self.run.store.rows
        address = rows.__array_interface__["data"][0]
        begin = -(-(address + self.done[region]) // PIECE) * PIECE - address
        end = (address + high * self._width()) // PIECE * PIECE - address
        if begin < end:
            memory_of(rows).madvise(mmap.MADV_DONTNEED, begin, end - begin)
            self.done[region] = end


def memory_of(array: Array) -> mmap.mmap:
    """The memory that an array of the store lies in."""
    base = array
    while not isinstance(base, mmap.mmap):
        base = base.obj if isinstance(base, memoryview) else base.base
    return base


def matcher(run: Exploration, row: int) -> Callable[[Array], bool]:
    """Whether a state (bytes) is that of a row."""
    if run.store.whole:
        wanted = run.state(row)
        return functools.partial(np.array_equal, wanted)
    words = np.zeros(state_words(run.store), np.uint64)
    packed = np.zeros(run.store.rows.shape[1], np.uint64)

    def same(state: Array) -> bool:
        words.view(np.uint8)[: len(state)] = state
        value = fingerprint_of_state(run.store, words, packed)
        return bool(value == int(run.store.fingerprints[row]))

    return same
