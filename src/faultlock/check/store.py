# SPDX-License-Identifier: GPL-2.0-only
"""Where visited states are kept: collapsed rows, and open-addressing hash tables.

The words of a state behind its pcs are cut into segments of SEGMENT words.  Each different
content of a segment is kept once and has a number; a row is the pcs and these numbers.  So a
state costs four bytes per segment, and a step looks up only the segments that it changed (the
idea of Spin's COLLAPSE).  Nothing is lost: equal numbers mean equal contents, so two different
states are never taken for one.  With fingerprints a row is 64 bits instead, once its level has
been expanded (fingerprints.py); then two states may be taken for one.

Memory is reserved once and becomes real when it is touched; every worker appends to its own
region, so the number of a state (its row) never changes and workers need no lock.
"""

from __future__ import annotations

import mmap
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from faultlock.check.compiled import compiled, inlined
from faultlock.check.hashing import fingerprint_of, hash_of, mix
from faultlock.check.intrinsics import (
    SEGMENT,
    compare_and_swap,
    copy_segment,
    differences,
    load_word,
    prefetch,
    set_word,
    sum_of_products,
    word_at,
)
from faultlock.check.kinds import I64, U8, U16, U32, U64, I64x2, I64x3, Int, U64x2, U64x3, Word
from faultlock.check.side_by_side import side_by_side
from faultlock.lang.memory import MAP_NORESERVE

Array = Any
HUGE_PAGES_FROM = 1 << 22  # bytes at the start of an array that stay in small pages
NO_STATE = 0xFFFFFFFF  # a parent or target that is no stored state
EXISTS, NEW = 0, 1
ROWS_AHEAD = 12  # whose place in a table is fetched
SPARE_SLOTS = 512  # of a table, per worker, until the next look at how full it is
FIRST_SLOTS = 1 << 13
LONG_TABLE = 1 << 20  # slots, from which on a table grows more slowly when memory counts
SEGMENT_REGION = 1 << 22  # different contents of one segment that one worker may find

# columns of Store.counters
STATES, EDGES, TRANSITIONS, EXPANDED, PENDING_LOW, PENDING_HIGH, TOO_WIDE = range(7)


class Store(NamedTuple):
    """Arrays shared by all workers.  S rows, E edges, R workers."""

    rows: U64x2  # [S, P]: the pcs, then segment numbers, two in a word
    parent: U32  # [S]: the state it was first reached from
    terminal: U8  # [S]: 1 = no thread can step
    edge_start: I64  # [S]: first edge
    edge_count: U16  # [S]
    edge_target: U32  # [E]; NO_STATE: a failed assertion
    edge_thread: U8  # [E]
    table: U64  # [2**n]: 0 = empty, else upper hash bits << 32 | row + 1
    counters: I64x2  # [R, 16]
    region: int  # rows of one worker
    edge_region: int  # edges of one worker
    words: int  # of a state
    head: int  # words at its begin that hold the pcs; they stand in the row as they are
    segments: U64x3  # [G, R * segment_region, SEGMENT]: contents by number
    segment_tables: U64x2  # [G, 2**n]
    segments_used: I64x3  # [G, R, 8]
    segment_region: int
    whole: int  # 1: rows are kept and compared, 0: their fingerprints
    fingerprints: U64  # [S]; [1] when rows are kept
    facts: U32  # [S]: what is known of a state whose row is gone; [1] when rows are kept


def _reserve(shape: tuple[int, ...], kind: Any) -> Array:
    items = int(np.prod(shape))
    size = max(items * np.dtype(kind).itemsize, HUGE_PAGES_FROM)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
    if size > HUGE_PAGES_FROM:
        # Fewer TLB misses: 1.5 times the states per second on a 2-core virtual machine.
        memory.madvise(mmap.MADV_HUGEPAGE, HUGE_PAGES_FROM)
    return np.frombuffer(memory, kind)[:items].reshape(shape)


def make_store(words: int, head: int, states: int, workers: int, edges: int = 0,
               whole: bool = True) -> Store:
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
        np.zeros(FIRST_SLOTS, np.uint64),
        np.zeros((workers, 16), np.int64),
        states,
        edges,
        words,
        head,
        _reserve((groups, workers * SEGMENT_REGION, SEGMENT), np.uint64),
        np.zeros((groups, FIRST_SLOTS), np.uint64),
        np.zeros((groups, workers, 8), np.int64),
        SEGMENT_REGION,
        int(whole),
        _reserve((1 if whole else rows,), np.uint64),
        _reserve((1 if whole else rows,), np.uint32),
    )


def grown(store: Store, workers: int = 1) -> Store:
    """The same states in longer tables, where they are nearly full, by these workers."""
    regions = len(store.counters)
    if int(store.counters[:, STATES].sum()) + SPARE_SLOTS * regions > room_in(store):
        times = 4 if store.whole or len(store.table) < LONG_TABLE else 2
        table = np.zeros(times * len(store.table), np.uint64)
        parts = []
        for worker in range(regions):
            low, count = worker * store.region, int(store.counters[worker, STATES])
            ends = [low + count * part // workers for part in range(workers + 1)]
            parts += [partial(enter_all, store, table, *pair) for pair in pairwise(ends)]
        side_by_side(workers, parts)
        store = store._replace(table=table)
    size = store.segment_tables.shape[1]
    most = int(store.segments_used[:, :, 0].sum(axis=1).max())
    if 2 * (most + SPARE_SLOTS * regions) > size:
        tables = np.zeros((len(store.segment_tables), 4 * size), np.uint64)
        for group in range(len(tables)):
            for worker in range(regions):
                low = worker * store.segment_region
                high = low + int(store.segments_used[group, worker, 0])
                enter_contents(store.segments[group], tables[group], low, high)
        store = store._replace(segment_tables=tables)
    return store


def row_bytes(packed: int, whole: bool) -> int:
    """Memory of one state without its edges, for a row of `packed` words; the rows of the level
    that is being expanded are not counted when fingerprints stand for the others."""
    return 15 + (packed * 8 if whole else 12)


def bytes_in_use(store: Store) -> int:
    """Memory that holds something, in bytes."""
    states = int(store.counters[:, STATES].sum())
    edges = int(store.counters[:, EDGES].sum())
    contents = int(store.segments_used[:, :, 0].sum()) * SEGMENT * 8
    tables = (len(store.table) + store.segment_tables.size) * 8
    rows: int = states * (row_bytes(store.rows.shape[1], bool(store.whole)))
    return rows + edges * 5 + contents + int(tables)


def state_words(store: Store) -> int:
    """Words of a buffer that holds a state: whole segments."""
    groups: int = len(store.segment_tables)
    return store.head + groups * SEGMENT


@inlined
def key_of(store: Store, row: int) -> Word:
    """What a stored row is looked up by."""
    return hash_of(store.rows[row]) if store.whole else store.fingerprints[row]


@compiled
def room_in(store: Store) -> Int:
    """How many states the table holds until it is made longer: half of its slots, or three in
    four when memory is what counts."""
    size = len(store.table)
    return size // 2 if store.whole else size // 4 * 3


@compiled
def enter_all(store: Store, table: U64, low: int, high: int) -> None:
    """Enter rows low..high-1, which are not in the table yet; others may do so with other rows."""
    mask = np.uint64(len(table) - 1)
    for row in range(low, high):
        if row + ROWS_AHEAD < high:
            ahead = key_of(store, row + ROWS_AHEAD) & mask
            prefetch(table.ctypes.data + np.int64(ahead) * 8)
        value = key_of(store, row)
        slot = value & mask
        fresh = (value >> np.uint64(32)) << np.uint64(32) | np.uint64(row + 1)
        while True:
            place = table.ctypes.data + np.int64(slot) * 8
            if load_word(place) == 0 and compare_and_swap(place, np.uint64(0), fresh) == 0:
                break
            slot = (slot + np.uint64(1)) & mask


@compiled
def enter_contents(contents: U64x2, table: U64, low: int, high: int) -> None:
    """The same for the contents of a segment."""
    mask = np.uint64(len(table) - 1)
    for number in range(low, high):
        value = mix(sum_of_products(contents.ctypes.data + number * SEGMENT * 8))
        slot = value & mask
        while table[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = (value >> np.uint64(32)) << np.uint64(32) | np.uint64(number + 1)


@inlined
def copy(source: U64, target: U64) -> None:
    """Copy a state."""
    for index in range(len(source)):
        target[index] = source[index]


@inlined
def insert(store: Store, worker: int, packed: int, value: Word) -> tuple[Int, int]:
    """(row, NEW or EXISTS) of a packed state, at address `packed`, with hash `value`.

    The next row of this worker is written before any other worker can see it."""
    table, width = store.table.ctypes.data, store.rows.shape[1] * 8
    rows = store.rows.ctypes.data
    mask = np.uint64(len(store.table) - 1)
    slot = value & mask
    upper = value >> np.uint64(32)
    row = worker * store.region + store.counters[worker, STATES]
    written = False
    while True:
        place = table + np.int64(slot) * 8
        entry = load_word(place)
        if entry == 0:
            if not written:
                copy_words(packed, rows + row * width, width)
                if not store.whole:
                    store.fingerprints[row] = value
                written = True
            fresh = upper << np.uint64(32) | np.uint64(row + 1)
            entry = compare_and_swap(place, np.uint64(0), fresh)
            if entry == 0:
                store.counters[worker, STATES] += 1
                return row, NEW
        if entry >> np.uint64(32) == upper:
            other = np.int64(entry & np.uint64(NO_STATE)) - 1
            if store.whole:
                if same_words(packed, rows + other * width, width):
                    return other, EXISTS
            elif store.fingerprints[other] == value:
                return other, EXISTS
        slot = (slot + np.uint64(1)) & mask


@inlined
def copy_words(source: int, target: int, size: int) -> None:
    """Copy `size` bytes, whole words."""
    for offset in range(0, size, 8):
        set_word(target + offset, word_at(source + offset))


@inlined
def same_words(left: int, right: int, size: int) -> bool:
    """Whether `size` bytes are equal, whole words."""
    for offset in range(0, size, 8):  # noqa: SIM110  (compiled functions have no generators)
        if word_at(left + offset) != word_at(right + offset):
            return False
    return True


@inlined
def segment_number(store: Store, worker: int, group: int, content: int) -> Int:
    """The number of the content, at address `content`, of a segment."""
    size = store.segment_tables.shape[1]
    table = store.segment_tables.ctypes.data + group * size * 8
    contents = store.segments.ctypes.data + group * store.segments.shape[1] * SEGMENT * 8
    mask = np.uint64(size - 1)
    value = mix(sum_of_products(content))
    slot = value & mask
    upper = value >> np.uint64(32)
    number = worker * store.segment_region + store.segments_used[group, worker, 0]
    while True:
        place = table + np.int64(slot) * 8
        entry = load_word(place)
        if entry == 0:
            copy_segment(content, contents + number * SEGMENT * 8)
            fresh = upper << np.uint64(32) | np.uint64(number + 1)
            entry = compare_and_swap(place, np.uint64(0), fresh)
            if entry == 0:
                store.segments_used[group, worker, 0] += 1
                return number
        if entry >> np.uint64(32) == upper:
            other = np.int64(entry & np.uint64(NO_STATE)) - 1
            if differences(content, contents + other * SEGMENT * 8) == 0:
                return other
        slot = (slot + np.uint64(1)) & mask


@inlined
def pack_segment(store: Store, worker: int, group: int, state: int, packed: int) -> None:
    """Enter the number of one segment of a state into its packed form (addresses)."""
    number = segment_number(store, worker, group, state + (store.head + group * SEGMENT) * 8)
    place = packed + (store.head + (group >> 1)) * 8
    shift = np.uint64(32 * (group & 1))
    keep = word_at(place) & ~(np.uint64(NO_STATE) << shift)
    set_word(place, keep | np.uint64(number) << shift)


@compiled
def pack(store: Store, worker: int, state: U64, packed: U64) -> None:
    """The packed form of a state."""
    for index in range(store.head):
        packed[index] = state[index]
    for group in range(len(store.segment_tables)):
        pack_segment(store, worker, group, state.ctypes.data, packed.ctypes.data)


@inlined
def unpack(store: Store, packed: U64, state: U64) -> None:
    """The state of a packed form."""
    for index in range(store.head):
        state[index] = packed[index]
    target = state.ctypes.data + store.head * 8
    contents = store.segments.ctypes.data
    for group in range(len(store.segment_tables)):
        pair = packed[store.head + (group >> 1)]
        number = np.int64(pair >> np.uint64(32 * (group & 1)) & np.uint64(NO_STATE))
        place = (group * store.segments.shape[1] + number) * SEGMENT * 8
        copy_segment(contents + place, target + group * SEGMENT * 8)


@compiled
def read_state(store: Store, row: int, state: U64) -> None:
    """The state of a row, for Python."""
    unpack(store, store.rows[row], state)


@compiled
def enter_first(store: Store, packed: U64) -> Int:
    """Enter the first state, which is in its packed form; its row."""
    value = hash_of(packed) if store.whole else fingerprint_of(packed)
    row, _ = insert(store, 0, packed.ctypes.data, value)
    return row
