# SPDX-License-Identifier: GPL-2.0-only
"""Which operation must come after which of another thread, because they are about one mapping.

A thread that touches memory that another thread mapped was told of it: through a lock, a futex, a
pipe, none of which is recorded. The same holds for unmapping what another thread has touched, and
for mapping at an address that another thread unmapped.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import Any

from faultlock.trace.address_space import PAGE
from faultlock.trace.recording import FAULT

_LAYOUT = ("mmap", "munmap", "mprotect", "mremap", "brk")

Row = dict[str, Any]


@dataclass(slots=True)
class _Range:
    """[start, end): the operation that made it what it is, the last touch since; -1: none.

    `by_another`: the last touch by another thread than that of `touched`.
    """

    start: int
    end: int
    made: int
    touched: int = -1
    by_another: int = -1


class _Space:
    """The ranges of one address space that operations have changed."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ranges: list[_Range] = []

    def at(self, address: int) -> _Range | None:
        position = bisect_right(self._starts, address) - 1
        if position >= 0 and address < self._ranges[position].end:
            return self._ranges[position]
        return None

    def replace(self, start: int, end: int, made: int) -> list[_Range]:
        """Operation `made` changes [start, end); returns what was there."""
        first = max(0, bisect_right(self._starts, start) - 1)
        if first < len(self._ranges) and self._ranges[first].end <= start:
            first += 1
        last = bisect_left(self._starts, end, first)
        before = self._ranges[first:last]
        pieces = []
        if before and before[0].start < start:
            head = before[0]
            pieces.append(replace(head, end=start))
        pieces.append(_Range(start, end, made))
        if before and before[-1].end > end:
            tail = before[-1]
            pieces.append(replace(tail, start=end))
        self._ranges[first:last] = pieces
        self._starts[first:last] = [piece.start for piece in pieces]
        return before


def dependencies(rows: list[Row]) -> dict[int, int]:
    """Position of an operation in `rows` -> that of the one of another thread it comes after."""
    spaces: dict[int, _Space] = {}
    needs: dict[int, int] = {}
    for position in sorted(range(len(rows)), key=lambda n: _moment(rows[n])):
        row = rows[position]
        space = spaces.setdefault(row["mm"], _Space())
        candidates: list[int] = []
        if row["kind"] == FAULT:
            found = space.at(row["address"])
            if found is not None:
                candidates.append(found.made)
                if found.touched >= 0 and rows[found.touched]["thread"] != row["thread"]:
                    found.by_another = found.touched
                found.touched = position
        elif row["kind"] in _LAYOUT and not -4096 < row["result"] < 0:
            for start, end in _ranges_of(row):
                for old in space.replace(start, end, position):
                    candidates += (old.made, old.touched, old.by_another)
        others = [n for n in candidates if n >= 0 and rows[n]["thread"] != row["thread"]]
        # One that had not ended when this one began is not its cause.
        others = [n for n in others if rows[n]["end_ns"] < row["start_ns"]]
        if others:
            needs[position] = max(others, key=lambda n: (rows[n]["end_ns"], n))
    return needs


def _moment(row: Row) -> tuple[int, int]:
    """When an operation takes effect: a touch at once, a change of mappings at its end."""
    return (row["start_ns"], 1) if row["kind"] == FAULT else (row["end_ns"], 0)


def _ranges_of(row: Row) -> list[tuple[int, int]]:
    """What a call changes; empty ranges are left out."""
    start, length = row["address"], row["length"]
    ranges = [(start, start + -(-length // PAGE) * PAGE)]
    if row["kind"] == "brk":
        ends = sorted((start, row["new_address"]))
        ranges = [(ends[0], ends[1])]
    elif row["kind"] == "mremap":
        new = row["new_address"]
        ranges.append((new, new + -(-row["new_length"] // PAGE) * PAGE))
    return [(low, high) for low, high in ranges if low < high]
