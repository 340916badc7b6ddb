# SPDX-License-Identifier: GPL-2.0-only
"""How the successors of a state get into the store (compiled).

A step is taken in a copy of the state, of which only the segments that the step changed are
packed and put back.  Without partial order reduction successors wait in a short queue before
they are looked up in the table: by then the cache lines that the lookup needs have arrived.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from faultlock.check.compiled import inlined
from faultlock.check.hashing import fingerprint_of, hash_of
from faultlock.check.intrinsics import (
    SEGMENT,
    copy_segment,
    differences,
    prefetch,
    set_word,
    word_at,
)
from faultlock.check.kinds import Int, Word
from faultlock.check.machine import (
    CHANGED,
    COUNT,
    EDGE,
    FIRST,
    HASH,
    MONITORS,
    PARENT,
    QUEUE,
    Machine,
    Room,
    Search,
    check_monitors,
)
from faultlock.check.permute import canonical
from faultlock.check.store import (
    EDGES,
    NEW,
    NO_STATE,
    TRANSITIONS,
    Store,
    copy_words,
    insert,
    pack_segment,
    unpack,
)

Array = Any


@inlined
def add_edge(store: Store, worker: int, thread: int) -> int:
    """Append an edge of the state that is being expanded; its number (-1: none are kept)."""
    store.counters[worker, TRANSITIONS] += 1
    if store.edge_region == 0:
        return -1
    edge: int = worker * store.edge_region + store.counters[worker, EDGES]
    store.edge_target[edge] = NO_STATE
    store.edge_thread[edge] = thread
    store.counters[worker, EDGES] += 1
    return edge


@inlined
def pack_changes(store: Store, worker: int, room: Room, wanted: bool) -> Word:
    """Pack the successor, and put its words back; the parts that changed (if `wanted`)."""
    width = store.head + len(store.segment_tables) * SEGMENT
    base = room.states.ctypes.data
    state = base + room.states.shape[1] * 8
    packed = state + width * 8
    copy_words(base + width * 8, packed, store.rows.shape[1] * 8)
    for offset in range(0, store.head * 8, 8):
        set_word(packed + offset, word_at(state + offset))
        set_word(state + offset, word_at(base + offset))
    changed = np.uint64(1) << np.uint64(63)  # the head
    for group in range(len(store.segment_tables)):
        offset = (store.head + group * SEGMENT) * 8
        differing = differences(base + offset, state + offset)
        if differing == 0:
            continue
        pack_segment(store, worker, group, state, packed)
        copy_segment(base + offset, state + offset)
        if wanted:
            for quarter in range(4):
                if differing >> (4 * quarter) & 15:
                    changed |= np.uint64(1) << np.uint64((4 * group + quarter) & 63)
    return changed


@inlined
def settle(store: Store, machine: Machine, search: Search, worker: int, room: Room,
           item: int) -> Int:
    """Look up, or store, one item of the queue; its row."""
    width = store.rows.shape[1]
    place = room.queue.ctypes.data + item * room.queue.shape[1] * 8
    words = room.queue[item, width:]
    row, kind = insert(store, worker, place, words[HASH])
    if kind == NEW:
        store.parent[row] = words[PARENT]
        if words[MONITORS] != 0:
            fresh = room.states[2]
            unpack(store, room.queue[item], fresh)
            check_monitors(machine, search, worker, row, fresh.ctypes.data, words[MONITORS],
                           words[CHANGED])
    edge = np.int64(words[EDGE])
    if edge >= 0:
        store.edge_target[edge] = row
    return row


@inlined
def drain(store: Store, machine: Machine, search: Search, worker: int, room: Room,
          left: int) -> None:
    """Settle the oldest items of the queue until no more than `left` wait."""
    while room.marks[COUNT] > left:
        settle(store, machine, search, worker, room, room.marks[FIRST])
        room.marks[FIRST] = (room.marks[FIRST] + 1) % QUEUE
        room.marks[COUNT] -= 1


@inlined
def look_ahead(store: Store, room: Room) -> None:
    """Fetch the row that an item in the middle of the queue will be compared with."""
    item = (room.marks[FIRST] + QUEUE // 2) % QUEUE
    value = room.queue[item, store.rows.shape[1] + HASH]
    slot = value & np.uint64(len(store.table) - 1)
    entry = word_at(store.table.ctypes.data + np.int64(slot) * 8)
    if entry >> np.uint64(32) == value >> np.uint64(32):
        row = np.int64(entry & np.uint64(NO_STATE)) - 1
        if store.whole:
            prefetch(store.rows.ctypes.data + row * store.rows.shape[1] * 8)
        else:
            prefetch(store.fingerprints.ctypes.data + row * 8)


@inlined
def enter(store: Store, machine: Machine, search: Search, worker: int, room: Room, parent: int,
          thread: int, label: int) -> Int:
    """Queue the successor that `label` led to; its row when partial order reduction is on
    (then it is looked up at once), else 0."""
    written = machine.label_monitors[label]
    if len(machine.symmetry.sizes) > 0:
        state = room.states[1]
        canonical(machine.symmetry, machine.threads, state.view(np.uint8), state.view(np.int16),
                  room.states[2].view(np.uint8), room.places[0], room.places[1])
    changed = pack_changes(store, worker, room, written != 0)
    width = store.rows.shape[1]
    item = (room.marks[FIRST] + room.marks[COUNT]) % QUEUE
    packed = room.states[1, room.states.shape[1] - width:]
    value = hash_of(packed) if store.whole else fingerprint_of(packed)
    place = room.queue.ctypes.data + item * room.queue.shape[1] * 8
    copy_words(packed.ctypes.data, place, width * 8)
    words = room.queue[item, width:]
    words[HASH] = value
    words[PARENT] = parent
    words[EDGE] = np.uint64(add_edge(store, worker, thread))
    words[MONITORS] = written
    words[CHANGED] = changed
    if machine.reduce:
        return settle(store, machine, search, worker, room, item)
    prefetch(store.table.ctypes.data + np.int64(value & np.uint64(len(store.table) - 1)) * 8)
    room.marks[COUNT] += 1
    if room.marks[COUNT] > QUEUE // 2:
        look_ahead(store, room)
    drain(store, machine, search, worker, room, QUEUE - 1)
    return 0
