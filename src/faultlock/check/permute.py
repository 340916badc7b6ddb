# SPDX-License-Identifier: GPL-2.0-only
"""One state for all that differ in the numbers of interchangeable threads only (compiled).

The threads of a group are sorted by what they are (pc, frame, struct) and every reference to a
thread follows.  Threads that refer to each other may be sorted differently in states that are
the same: that costs states, never a verdict.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from faultlock.check.compiled import compiled, inlined
from faultlock.check.kinds import I16, I64, U8, U64, I64x2, I64x3

Array = Any
BLOCKS = 3


class Symmetry(NamedTuple):
    """Interchangeable threads.  G groups, T threads, L labels, F step functions."""

    sizes: I64  # [G]: members of a group
    members: I64x2  # [G, most members]
    blocks: I64x3  # [T + 1, 3, 2]: (byte offset, bytes) of a thread's pc, frame and struct
    slots: I64  # [...]: byte offsets of fields that refer to threads
    frames: I64  # [T + 1]: byte offset of a thread's frame
    label_slots: I64x2  # [L + 1, ...]: offsets in the frame of locals that refer to threads
    label_slot_count: I64  # [L + 1]
    label_function: I64  # [L + 1]
    return_site: I64x2  # [F, 2]: (offset in the frame, bytes) of the return site; -1: none
    site_label: I64x2  # [F, ...]: label of return site number 1, 2, ...


@inlined
def is_less(symmetry: Symmetry, state: U8, left: int, right: int) -> bool:
    """Whether one thread comes before another."""
    for block in range(BLOCKS):
        here, there = symmetry.blocks[left, block, 0], symmetry.blocks[right, block, 0]
        for index in range(symmetry.blocks[left, block, 1]):
            if state[here + index] != state[there + index]:
                less: bool = state[here + index] < state[there + index]
                return less
    return False


@inlined
def sort_group(symmetry: Symmetry, group: int, state: U8, before: I64, place: I64) -> bool:
    """place[thread] = number that the thread gets; whether any changes.

    state: bytes; before: i64 [T + 1], place: i64 [T + 1] (identity on entry)."""
    size = symmetry.sizes[group]
    for index in range(size):
        thread = symmetry.members[group, index]
        position = index
        while position > 0 and is_less(symmetry, state, thread, before[position - 1]):
            before[position] = before[position - 1]
            position -= 1
        before[position] = thread
    moved = False
    for index in range(size):
        place[before[index]] = symmetry.members[group, index]
        if before[index] != symmetry.members[group, index]:
            moved = True
    return moved


@inlined
def rename_slot(state: U8, offset: int, place: I64) -> None:
    """Let a reference follow its thread."""
    value = state[offset]
    if value != 0 and value < len(place):
        state[offset] = place[value]


@inlined
def rename_frame(symmetry: Symmetry, state: U8, label: int, frame: int, place: I64) -> None:
    """Let the references in the frame of a thread that stands at a label follow."""
    while label > 0:
        for index in range(symmetry.label_slot_count[label]):
            rename_slot(state, frame + symmetry.label_slots[label, index], place)
        function = symmetry.label_function[label]
        offset = symmetry.return_site[function, 0]
        if offset < 0:
            return
        site: Any = 0
        for index in range(symmetry.return_site[function, 1]):
            site |= np.int64(state[frame + offset + index]) << (8 * index)
        if site == 0:
            return
        label = symmetry.site_label[function, site - 1]


@inlined
def canonical(symmetry: Symmetry, threads: int, state: U8, pcs: I16, copy: U8,
              before: I64, place: I64) -> bool:
    """Renumber interchangeable threads; whether the state (bytes) has changed.

    copy: room for the state; before, place: i64 [T + 1]."""
    moved = False
    for thread in range(threads + 1):
        place[thread] = thread
    for group in range(len(symmetry.sizes)):
        if sort_group(symmetry, group, state, before, place):
            moved = True
    if not moved:
        return False
    for index in range(len(state)):
        copy[index] = state[index]
    for thread in range(1, threads + 1):
        if place[thread] != thread:
            for block in range(BLOCKS):
                source = symmetry.blocks[thread, block, 0]
                target = symmetry.blocks[place[thread], block, 0]
                for index in range(symmetry.blocks[thread, block, 1]):
                    state[target + index] = copy[source + index]
    for index in range(len(symmetry.slots)):
        rename_slot(state, symmetry.slots[index], place)
    for thread in range(1, threads + 1):
        rename_frame(symmetry, state, pcs[thread - 1], symmetry.frames[thread], place)
    return True


@compiled
def renumber(symmetry: Symmetry, threads: int, words: U64, copy: U64, places: I64x2) -> None:
    """`canonical` for one state: words and copy u64 of its length, places i64 [2, T + 1]."""
    canonical(symmetry, threads, words.view(np.uint8), words.view(np.int16), copy.view(np.uint8),
              places[0], places[1])
