# SPDX-License-Identifier: GPL-2.0-only
"""Where visited states are kept: collapsed rows, and open-addressing hash tables.

The words of a state behind its pcs are cut into segments of SEGMENT words.  Each different
content of a segment is kept once and has a number; a row is the pcs and these numbers.  So a
state costs four bytes per segment, and a step looks up only the segments that it changed (the
idea of Spin's COLLAPSE).  Nothing is lost: equal numbers mean equal contents, so two different
states are never taken for one.

Memory is reserved once and becomes real when it is touched; every worker appends to its own
region, so the number of a state (its row) never changes and workers need no lock.
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
SEGMENT = 16  # words
SPARE_SLOTS = 512  # of a table, per worker, while one state is expanded
SEGMENT_REGION = 1 << 22  # different contents of one segment that one worker may find

# columns of Store.counters
STATES, EDGES, TRANSITIONS, EXPANDED, PENDING_LOW, PENDING_HIGH, TOO_WIDE = range(7)


class Store(NamedTuple):
    """Arrays shared by all workers.  S rows, E edges, R workers."""

    rows: Array  # u64 [S, P]: the pcs, then segment numbers, two in a word
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
    words: int  # of a state
    head: int  # words at its begin that hold the pcs; they stand in the row as they are
    segments: Array  # u64 [G, R * segment_region, SEGMENT]: contents by number
    segment_tables: Array  # u64 [G, 2**n]
    segments_used: Array  # i64 [G, R, 8]
    segment_region: int


def _reserve(shape: tuple[int, ...], kind: Any) -> Array:
    items = int(np.prod(shape))
    size = max(items * np.dtype(kind).itemsize, HUGE_PAGES_FROM)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
    if size > HUGE_PAGES_FROM:
        # Fewer TLB misses: 1.5 times the states per second on a 2-core virtual machine.
        memory.madvise(mmap.MADV_HUGEPAGE, HUGE_PAGES_FROM)
    return np.frombuffer(memory, kind)[:items].reshape(shape)


def make_store(words: int, head: int, states: int, workers: int, edges: int = 0) -> Store:
    """Reserve room for `states` rows and `edges` edges for each of `workers` regions."""
    rows = states * workers
    groups = max(-(-(words - head) // SEGMENT), 1)
    return Store(
        _reserve((rows, head + (groups + 1) // 2), np.uint64),
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
        words,
        head,
        _reserve((groups, workers * SEGMENT_REGION, SEGMENT), np.uint64),
        np.zeros((groups, 1 << 12), np.uint64),
        np.zeros((groups, workers, 8), np.int64),
        SEGMENT_REGION,
    )


def grown(store: Store) -> Store:
    """The same states in longer tables, where they are nearly half full."""
    workers = len(store.counters)
    if 2 * (int(store.counters[:, STATES].sum()) + SPARE_SLOTS * workers) > len(store.table):
        table = np.zeros(4 * len(store.table), np.uint64)
        for worker in range(workers):
            low = worker * store.region
            enter_all(store.rows, table, low, low + int(store.counters[worker, STATES]))
        store = store._replace(table=table)
    size = store.segment_tables.shape[1]
    most = int(store.segments_used[:, :, 0].sum(axis=1).max())
    if 2 * (most + SPARE_SLOTS * workers) > size:
        tables = np.zeros((len(store.segment_tables), 4 * size), np.uint64)
        for group in range(len(tables)):
            for worker in range(workers):
                low = worker * store.segment_region
                high = low + int(store.segments_used[group, worker, 0])
                enter_all(store.segments[group], tables[group], low, high)
        store = store._replace(segment_tables=tables)
    return store


def bytes_in_use(store: Store) -> int:
    """Memory that holds something, in bytes."""
    states = int(store.counters[:, STATES].sum())
    edges = int(store.counters[:, EDGES].sum())
    contents = int(store.segments_used[:, :, 0].sum()) * SEGMENT * 8
    tables = (len(store.table) + store.segment_tables.size) * 8
    rows: int = states * (store.rows.shape[1] * 8 + 15)
    return rows + edges * 5 + contents + int(tables)


def state_words(store: Store) -> int:
    """Words of a buffer that holds a state: whole segments."""
    groups: int = len(store.segment_tables)
    return store.head + groups * SEGMENT


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
def put(rows: Array, table: Array, used: Array, low: int, item: Array,
        value: Any) -> tuple[Any, int]:
    """(row, NEW or EXISTS) of an item with hash `value`.

    used[0] rows from `low` on are in use by this worker; the next one is written before any
    other worker can see it."""
    mask = np.uint64(len(table) - 1)
    slot = value & mask
    upper = value >> np.uint64(32)
    row = low + used[0]
    written = False
    base = table.ctypes.data
    while True:
        entry = load_word(base + np.int64(slot) * 8)
        if entry == 0:
            if not written:
                copy(item, rows[row])
                written = True
            fresh = upper << np.uint64(32) | np.uint64(row + 1)
            entry = compare_and_swap(base + np.int64(slot) * 8, np.uint64(0), fresh)
            if entry == 0:
                used[0] += 1
                return row, NEW
        if entry >> np.uint64(32) == upper:
            other = np.int64(entry & np.uint64(NO_STATE)) - 1
            if same(rows[other], item):
                return other, EXISTS
        slot = (slot + np.uint64(1)) & mask


@compiled
def insert(store: Store, worker: int, packed: Array, value: Any) -> tuple[int, int]:
    """(row, NEW or EXISTS) of a packed state with hash `value`."""
    used = store.counters[worker]  # column STATES is the first
    return put(store.rows, store.table, used, worker * store.region, packed, value)


@compiled
def pack_segment(store: Store, worker: int, group: int, state: Array, packed: Array) -> None:
    """Enter the number of one segment of a state into its packed form."""
    first = store.head + group * SEGMENT
    content = state[first:first + SEGMENT]
    number, _ = put(store.segments[group], store.segment_tables[group],
                    store.segments_used[group, worker], worker * store.segment_region,
                    content, hash_of(content))
    word, shift = store.head + (group >> 1), np.uint64(32 * (group & 1))
    keep = packed[word] & ~(np.uint64(NO_STATE) << shift)
    packed[word] = keep | np.uint64(number) << shift


@compiled
def pack(store: Store, worker: int, state: Array, packed: Array) -> None:
    """The packed form of a state."""
    for index in range(store.head):
        packed[index] = state[index]
    for group in range(len(store.segment_tables)):
        pack_segment(store, worker, group, state, packed)


@compiled
def unpack(store: Store, packed: Array, state: Array) -> None:
    """The state of a packed form."""
    for index in range(store.head):
        state[index] = packed[index]
    for group in range(len(store.segment_tables)):
        pair = packed[store.head + (group >> 1)]
        number = pair >> np.uint64(32 * (group & 1)) & np.uint64(NO_STATE)
        content = store.segments[group, np.int64(number)]
        for index in range(SEGMENT):
            state[store.head + group * SEGMENT + index] = content[index]
