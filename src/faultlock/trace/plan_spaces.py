# SPDX-License-Identifier: GPL-2.0-only
"""The address spaces of a replay: which pages they have, what is mapped at the beginning.

Addresses are page numbers in a compacted address space: of the 512-page tables of the recorded one
only those are kept in which something happens, in their order; alignment within tables is kept,
and so are distances within a mapping of a file.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from faultlock.errors import LimitReached
from faultlock.trace.address_space import PAGE, Vma
from faultlock.trace.compact_addresses import CompactAddresses
from faultlock.trace.plan_present import mapped_before
from faultlock.trace.recording import READ, SLEEP, TAKEN, RecordedThread, Recording
from faultlock.trace.replay_plan import KINDS, PlanVma, ReplayPlan


class PlanSpaces:
    """Fills the address spaces of a plan; `addresses` first, then `mms`."""

    def __init__(self, recording: Recording, plan: ReplayPlan, shared_memory: set[int]) -> None:
        self.recording, self.plan = recording, plan
        self._shared_memory = shared_memory
        self._family = _families(recording)
        self._compact = {number: CompactAddresses() for number in set(self._family)}

    # -- addresses ------------------------------------------------------------------------

    def addresses(self, rows: list[dict[str, Any]]) -> None:
        """Note every page that anything refers to, then compact."""
        for vma in self.recording.vmas:
            space = self._compact[self._family[vma.mm]]
            if vma.open_file is not None and vma.open_file.file is not None:
                # An address tells the page of the file by its distance from the mapping's start.
                size = self.recording.files[vma.open_file.file].pages * PAGE - vma.offset
                end = min(vma.end, vma.start + max(size, 0))
                space.use_all(vma.start // PAGE, -(-end // PAGE))
            space.use(vma.start // PAGE)
            space.use((vma.end - 1) // PAGE)
        for row in rows:
            if row["mm"] >= 0 and row["address"] and row["kind"] not in (READ, SLEEP, TAKEN):
                space = self._compact[self._family[row["mm"]]]
                space.use(row["address"] // PAGE)
                space.use((row["address"] + max(row["length"], 1) - 1) // PAGE)
                if row["new_address"]:
                    self._use_new(space, row)
        try:
            self.plan.address_pages = max(space.finish() for space in self._compact.values())
        except LimitReached as error:
            raise LimitReached(f"{self.plan.name}: {error}") from None

    def _use_new(self, space: CompactAddresses, row: dict[str, Any]) -> None:
        """Both ranges of a mremap move page by page; of brk the two ends matter."""
        space.use(row["new_address"] // PAGE)
        for name in ("address", "new_address"):
            space.use(-(-row[name] // PAGE))
        if row["kind"] == "mremap" and not -4096 < row["result"] < 0:
            for start, length in (
                (row["address"], row["length"]),
                (row["new_address"], row["new_length"]),
            ):
                space.use_all(start // PAGE, -(-(start + length) // PAGE))

    def span(self, mm: int, start: int, length: int) -> tuple[int, int]:
        """(first page, pages) of a range in bytes."""
        return self._compact[self._family[mm]].span(start, length)

    def brk(self, row: dict[str, Any]) -> dict[str, int]:
        """A call of brk: the ends of the heap before and after, rounded up to pages."""
        ends = [-(-row[name] // PAGE) * PAGE for name in ("address", "new_address")]
        old, new = (self.span(row["mm"], end, PAGE)[0] for end in ends)
        if 0 in (old, new):
            return {}
        return {"kind": KINDS["brk"], "address": old, "pages": 1, "new_address": new}

    # -- address spaces -------------------------------------------------------------------

    def mms(self, rows: list[dict[str, Any]]) -> None:
        """What each address space has before the recorded calls change it."""
        recording, plan = self.recording, self.plan
        plan.open_files = [
            -1 if item.file is None or item.file in self._shared_memory else item.file
            for item in recording.open_files
        ]
        initial: dict[int, list[Vma]] = {mm.number: [] for mm in recording.mms}
        for vma in sorted(recording.vmas, key=lambda v: (v.created_ns, v.number)):
            if vma.inferred or vma.created_ns <= recording.start_ns:
                initial[self._family[vma.mm]].append(vma)
        made = Counter(vma.mm for vma in recording.vmas)
        for mm in recording.mms:
            covered: list[tuple[int, int]] = []
            plan.mm_vmas.append([])
            for vma in initial[mm.number]:
                for start, end in _uncovered(covered, vma.start, vma.end):
                    plan.mm_vmas[-1].append(self._plan_vma(mm.number, vma, start, end))
                    covered.append((start, end))
            plan.mm_vmas[-1].sort(key=lambda item: item.start)
            plan.mm_map_count.append(made[mm.number])
        plan.mm_users = [0] * len(recording.mms)
        for number, addresses in mapped_before(recording, rows, self._family).items():
            pages = {self.span(number, address, PAGE)[0] for address in addresses}
            plan.mm_private[number] = pages

    def _plan_vma(self, mm: int, vma: Vma, start: int, end: int) -> PlanVma:
        first, pages = self.span(mm, start, end - start)
        open_file = -1
        if vma.open_file is not None and self.within_file(vma):
            open_file = self.open(vma.open_file.number)
        pgoff = vma.index_of(start) if open_file >= 0 else 0
        if open_file >= 0:
            pages = self.file_part(vma, pages)
        shared = vma.shared and open_file >= 0  # shared memory without a file: anonymous
        return PlanVma(first, pages, open_file, pgoff, vma.prot, shared, vma.advice)

    def forked_mm(self, child: RecordedThread, row: dict[str, Any]) -> int:
        """The address space that a fork made."""
        for mm in self.recording.mms:
            within = row["start_ns"] <= mm.created_ns <= row["end_ns"]
            if mm.origin == "fork" and within and mm.parent == row["mm"]:
                return mm.number
        return child.mm

    def open(self, number: int) -> int:
        """The open file after joining; -1 when its inode is not known."""
        number = self.recording.joined_open_files.get(number, number)
        return number if self.plan.open_files[number] >= 0 else -1

    def within_file(self, vma: Vma) -> bool:
        """Does a mapping begin within its file, as far as that is known? Else nobody touched it."""
        file = None if vma.open_file is None else vma.open_file.file
        return file is None or vma.offset // PAGE < self.plan.file_pages[file]

    def file_part(self, vma: Vma, pages: int) -> int:
        """How many of the pages of a mapping are within its file, or a little beyond."""
        assert vma.open_file is not None and vma.open_file.file is not None
        most = self.plan.file_pages[vma.open_file.file] - vma.offset // PAGE
        return min(pages, most + self.plan.readahead_pages)

    def any_open(self, file: int) -> int:
        """An open file of a file."""
        if file not in self.plan.open_files:
            self.plan.open_files.append(file)
        return self.plan.open_files.index(file)


def _families(recording: Recording) -> list[int]:
    """mm -> the mm that its address space was forked from in the end."""
    family: list[int] = []
    for mm in recording.mms:
        forked = mm.origin == "fork" and mm.parent >= 0
        family.append(family[mm.parent] if forked else mm.number)
    return family


def _uncovered(covered: list[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """The parts of [start, end) outside of the ranges."""
    parts = [(start, end)]
    for low, high in covered:
        cut = []
        for a, b in parts:
            if high <= a or b <= low:
                cut.append((a, b))
                continue
            if a < low:
                cut.append((a, low))
            if high < b:
                cut.append((high, b))
        parts = cut
    return parts
