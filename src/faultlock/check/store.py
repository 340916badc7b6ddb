# SPDX-License-Identifier: GPL-2.0-only
"""Where visited states are kept: rows of 64-bit words, and an open-addressing hash table.

Full states are stored, so two different states are never taken for one.  Memory is reserved
once and becomes real when it is touched; every worker appends to its own region of the rows,
so the number of a state (its row) never changes and workers need no lock.
"""

from __future__ import annotations

import mmap
from typing import Any, NamedTuple

import numpy as np

from faultlock.check.jit import compare_and_swap, compiled, load_word
from faultlock.lang.memory import MAP_NORESERVE

Array = Any
HUGE_PAGES_FROM = 1 << 22  # bytes at the start of an array that stay in small pages
NO_STATE = 0xFFFFFFFF  # a parent or target that is no stored state
EXISTS, NEW = 0, 1

# columns of Store.counters
STATES, EDGES, TRANSITIONS, EXPANDED, PENDING_LOW, PENDING_HIGH, TOO_WIDE = range(7)


class Store(NamedTuple):
    """Arrays shared by all workers.  S rows, E edges, R workers."""

    rows: Array  # u64 [S, words]: the states
    parent: Array  # u32 [S]: the state it was first reached from
    terminal: Array  # u8 [S]: 1 = no thread can step
    edge_start: Array  # i64 [S]: first edge
    edge_count: Array  # u16 [S]
    edge_target: Array  # u32 [E]; NO_STATE: a failed assertion
    edge_thread: Array  # u8 [E]
    table: Array  # u64 [2**n]: 0 = empty, else upper hash bits << 32 | row + 1
    counters: Array  # i64 [R, 16]
    region: int  # rows of one worker
    edge_region: int  # edges of one worker


def _reserve(shape: tuple[int, ...], kind: Any) -> Array:
    items = int(np.prod(shape))
    size = max(items * np.dtype(kind).itemsize, HUGE_PAGES_FROM)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
    if size > HUGE_PAGES_FROM:
        # Fewer TLB misses: 1.5 times the states per second on a 2-core virtual machine.
        memory.madvise(mmap.MADV_HUGEPAGE, HUGE_PAGES_FROM)
    return np.frombuffer(memory, kind)[:items].reshape(shape)


def make_store(words: int, states: int, workers: int, edges: int = 0) -> Store:
    """Reserve room for `states` rows and `edges` edges for each of `workers` regions."""
    rows = states * workers
    return Store(
        _reserve((rows, words), np.uint64),
        _reserve((rows,), np.uint32),
        _reserve((rows,), np.uint8),
        _reserve((rows,), np.int64),
        _reserve((rows,), np.uint16),
        _reserve((max(edges * workers, 1),), np.uint32),
        _reserve((max(edges * workers, 1),), np.uint8),
        np.zeros(1 << 12, np.uint64),
        np.zeros((workers, 16), np.int64),
        states,
        edges,
    )


def grown(store: Store) -> Store:
    """The same states in a table four times as long."""
    table = np.zeros(4 * len(store.table), np.uint64)
    for worker in range(len(store.counters)):
        low = worker * store.region
        enter_all(store.rows, table, low, low + int(store.counters[worker, STATES]))
    return store._replace(table=table)


def bytes_in_use(store: Store) -> int:
    """Memory that holds something, in bytes."""
    states = int(store.counters[:, STATES].sum())
    edges = int(store.counters[:, EDGES].sum())
    return states * (store.rows.shape[1] * 8 + 15) + edges * 5 + len(store.table) * 8


@compiled
def mix(word: Any) -> Any:
    """A 64-bit word with every bit depending on every bit (splitmix64's finaliser)."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@compiled
def salted(word: Any, index: Any) -> Any:
    """The share of word number `index` in the hash of a state."""
    return mix(word + np.uint64(index + 1) * np.uint64(0x9E3779B97F4A7C15))


@compiled
def hash_of(row: Array) -> Any:
    """The hash of a state: the sum over its words, so a step changes it word by word."""
    total = np.uint64(0)
    for index in range(len(row)):
        total += salted(row[index], index)
    return total


@compiled
def enter_all(rows: Array, table: Array, low: int, high: int) -> None:
    """Enter rows low..high-1, which are not in the table yet (one thread)."""
    mask = np.uint64(len(table) - 1)
    for row in range(low, high):
        value = hash_of(rows[row])
        slot = value & mask
        while table[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = (value >> np.uint64(32)) << np.uint64(32) | np.uint64(row + 1)


@compiled
def copy(source: Array, target: Array) -> None:
    """Copy a state (numba's slice assignment would need reference counting)."""
    for index in range(len(source)):
        target[index] = source[index]


@compiled
def same(left: Array, right: Array) -> bool:
    """Whether two states are equal."""
    for index in range(len(left)):  # noqa: SIM110  (numba: no generators)
        if left[index] != right[index]:
            return False
    return True


@compiled
def insert(store: Store, worker: int, state: Array, value: Any) -> tuple[int, int]:
    """(row, NEW or EXISTS) of a state with hash `value`; its row is written before it is seen."""
    table = store.table
    mask = np.uint64(len(table) - 1)
    slot = value & mask
    upper = value >> np.uint64(32)
    row = worker * store.region + store.counters[worker, STATES]
    written = False
    base = table.ctypes.data
    while True:
        entry = load_word(base + np.int64(slot) * 8)
        if entry == 0:
            if not written:
                copy(state, store.rows[row])
                written = True
            fresh = upper << np.uint64(32) | np.uint64(row + 1)
            entry = compare_and_swap(base + np.int64(slot) * 8, np.uint64(0), fresh)
            if entry == 0:
                store.counters[worker, STATES] += 1
                return row, NEW
        if entry >> np.uint64(32) == upper:
            other = np.int64(entry & np.uint64(NO_STATE)) - 1
            if same(store.rows[other], state):
                return other, EXISTS
        slot = (slot + np.uint64(1)) & mask


@compiled
def find(store: Store, state: Array) -> int:
    """The row of a state, or -1."""
    mask = np.uint64(len(store.table) - 1)
    value = hash_of(state)
    slot = value & mask
    while store.table[slot] != 0:
        entry = store.table[slot]
        if entry >> np.uint64(32) == value >> np.uint64(32):
            row = np.int64(entry & np.uint64(NO_STATE)) - 1
            if same(store.rows[row], state):
                return row
        slot = (slot + np.uint64(1)) & mask
    return -1
