# SPDX-License-Identifier: GPL-2.0-only
"""The mappings of one process over time, rebuilt from its system calls and faults.

Addresses are bytes, aligned to pages. A mapping that came from `mmap` is known exactly; one that
the kernel's program loader made (no system call says so), or that existed before the recording
began, is inferred from the faults inside and grows with them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass

PAGE = 4096
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
MAP_SHARED, MAP_FIXED, MAP_ANONYMOUS = 1, 0x10, 0x20
MREMAP_DONTUNMAP = 4
MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_HUGEPAGE, MADV_NOHUGEPAGE = 0, 1, 2, 14, 15
# Inferred anonymous mappings closer than this are one (stack, bss, allocator's arena).
_ANONYMOUS_GAP = 1 << 20


@dataclass(eq=False)
class OpenFile:
    """One open file (kernel: struct file). `file` is None until a fault tells which inode it is."""

    number: int
    file: int | None = None


@dataclass(eq=False, slots=True)
class Vma:
    """One mapping during its life; a change of range or protection ends it and begins another.

    `number` is -1 while the mapping is not part of an address space. `anchored`: of an inferred
    one, which page of the file lies where is certain (else guessed from fault-around's ranges).
    """

    number: int
    mm: int
    start: int
    end: int
    prot: int
    shared: bool
    offset: int
    open_file: OpenFile | None
    advice: int
    inferred: bool
    created_ns: int
    removed_ns: int = -1
    anchored: bool = False

    def index_of(self, address: int) -> int:
        """Page index in the file that backs `address`."""
        return (address - self.start + self.offset) // PAGE


def _up(length: int) -> int:
    return -(-length // PAGE) * PAGE


class AddressSpace:
    """The current mappings of one mm, sorted by address; `record` keeps every mapping ever made."""

    def __init__(self, number: int, record: Callable[[Vma], None], next_number: Callable[[], int]):
        self.number = number
        self.pointer: int | None = None
        self.brk_start = 0
        self.brk = 0
        self._record = record
        self._next_number = next_number
        self._starts: list[int] = []
        self._vmas: list[Vma] = []

    @property
    def vmas(self) -> list[Vma]:
        """Current mappings by address."""
        return self._vmas

    def find(self, address: int) -> Vma | None:
        """The mapping that holds `address`."""
        position = bisect_right(self._starts, address) - 1
        if position >= 0 and address < self._vmas[position].end:
            return self._vmas[position]
        return None

    def add(
        self,
        now_ns: int,
        start: int,
        end: int,
        *,
        prot: int,
        shared: bool = False,
        offset: int = 0,
        open_file: OpenFile | None = None,
        advice: int = MADV_NORMAL,
        inferred: bool = False,
    ) -> Vma:
        """Map [start, end), replacing what was there."""
        self.remove(now_ns, start, end)
        vma = Vma(
            -1,
            self.number,
            start,
            end,
            prot,
            shared,
            offset,
            open_file,
            advice,
            inferred,
            now_ns,
        )
        self._insert(vma)
        return vma

    def _insert(self, vma: Vma) -> None:
        vma.number = self._next_number()
        position = bisect_left(self._starts, vma.start)
        self._starts.insert(position, vma.start)
        self._vmas.insert(position, vma)
        self._record(vma)

    def _overlapping(self, start: int, end: int) -> tuple[int, int]:
        """Positions [first, last) of the mappings that meet [start, end)."""
        first = bisect_right(self._starts, start) - 1
        if first < 0 or self._vmas[first].end <= start:
            first += 1
        return first, bisect_left(self._starts, end, first)

    def _cut(self, now_ns: int, start: int, end: int) -> list[Vma]:
        """Take the mappings of [start, end) out, in pieces that lie inside; outer pieces stay."""
        first, last = self._overlapping(start, end)
        whole = self._vmas[first:last]
        del self._vmas[first:last]
        del self._starts[first:last]
        inside = []
        for vma in whole:
            vma.removed_ns = now_ns
            if vma.start < start:
                self._piece(vma, vma.start, start, now_ns)
            if vma.end > end:
                self._piece(vma, end, vma.end, now_ns)
            low, high = max(vma.start, start), min(vma.end, end)
            inside.append(self._copy(vma, low, high, now_ns))
        return inside

    def _copy(self, vma: Vma, start: int, end: int, now_ns: int) -> Vma:
        offset = vma.offset + start - vma.start if vma.open_file else 0
        return Vma(
            -1,
            self.number,
            start,
            end,
            vma.prot,
            vma.shared,
            offset,
            vma.open_file,
            vma.advice,
            vma.inferred,
            now_ns,
            anchored=vma.anchored,
        )

    def _piece(self, vma: Vma, start: int, end: int, now_ns: int) -> None:
        self._insert(self._copy(vma, start, end, now_ns))

    def remove(self, now_ns: int, start: int, end: int) -> None:
        """munmap; also ends mappings that a new one replaces."""
        if end > start:
            self._cut(now_ns, start, end)

    def protect(self, now_ns: int, start: int, length: int, prot: int) -> None:
        """mprotect of the mappings that are known in the range; holes stay holes."""
        end = start + _up(length)
        first, last = self._overlapping(start, end)
        if all(v.prot == prot for v in self._vmas[first:last]):
            return
        for vma in self._cut(now_ns, start, end):
            vma.prot = prot
            self._insert(vma)

    def advise(self, now_ns: int, start: int, length: int, advice: int) -> None:
        """madvise values that change how the mapping faults."""
        known = (MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_HUGEPAGE, MADV_NOHUGEPAGE)
        if advice in known:
            for vma in self._cut(now_ns, start, start + _up(length)):
                vma.advice = advice
                self._insert(vma)

    def move(self, now_ns: int, old: int, old_len: int, new: int, new_len: int, flags: int) -> None:
        """mremap that returned `new`."""
        vma = self.find(old)
        if vma is None:
            self.add(now_ns, new, new + _up(new_len), prot=3)
            return
        offset = vma.offset + old - vma.start if vma.open_file else 0
        if not flags & MREMAP_DONTUNMAP:
            self.remove(now_ns, old, old + _up(old_len))
        self.add(
            now_ns,
            new,
            new + _up(new_len),
            prot=vma.prot,
            shared=vma.shared,
            offset=offset,
            open_file=vma.open_file,
            advice=vma.advice,
        )

    def set_brk(self, now_ns: int, brk: int) -> None:
        """The program break after a call of brk; the first one seen is where the heap starts."""
        if not self.brk_start:
            self.brk_start = brk
        self.brk = brk
        heap_end = _up(brk)
        start = _up(self.brk_start)
        self.remove(now_ns, heap_end, max(heap_end, start + (1 << 30)))
        if heap_end > start:
            vma = self.find(start)
            if vma is None:
                self.add(now_ns, start, heap_end, prot=3)
            elif vma.end < heap_end:
                self.add(now_ns, vma.end, heap_end, prot=vma.prot)

    def fork_into(self, child: AddressSpace, now_ns: int) -> None:
        """The child's mappings are copies of ours."""
        for vma in self._vmas:
            copy = child._copy(vma, vma.start, vma.end, now_ns)
            copy.mm = child.number
            child._insert(copy)
        child.brk_start, child.brk = self.brk_start, self.brk

    def observe_file(self, now_ns: int, address: int, index: int, open_file: OpenFile) -> Vma:
        """The mapping behind a file fault that no known mapping explains; inferred ones grow.

        `index` is the file page at `address`, `open_file` what the mapping is of.
        """
        page = address // PAGE * PAGE
        for vma in self._neighbours(page):
            # By inode: after a fork the copies keep the parent's open file.
            same = vma.open_file is not None and vma.open_file.file == open_file.file
            if vma.inferred and same and (page - vma.start + vma.offset) // PAGE == index:
                self._grow(vma, page)
                return vma
        return self.add(
            now_ns,
            page,
            page + PAGE,
            prot=1,
            offset=index * PAGE,
            open_file=open_file,
            inferred=True,
        )

    def observe_range(self, vma: Vma, start: int, end: int) -> None:
        """An inferred mapping certainly holds [start, end), as far as no other one does."""
        position = bisect_left(self._starts, vma.start)
        if not vma.inferred or self._vmas[position : position + 1] != [vma]:
            return
        if position > 0:
            start = max(start, self._vmas[position - 1].end)
        if position + 1 < len(self._vmas):
            end = min(end, self._starts[position + 1])
        if start < vma.start:
            self._grow(vma, start)
        vma.end = max(vma.end, end)

    def shift(self, vma: Vma, distance: int) -> bool:
        """An inferred mapping lies `distance` bytes higher than was guessed; False: it cannot."""
        position = self._vmas.index(vma)
        below = self._vmas[position - 1].end if position else 0
        above = self._starts[position + 1] if position + 1 < len(self._vmas) else 1 << 63
        start, end = max(vma.start + distance, below), min(vma.end + distance, above)
        if start >= end:
            return False
        vma.offset += start - distance - vma.start
        vma.start, vma.end, self._starts[position] = start, end, start
        return True

    def observe_anonymous(self, now_ns: int, address: int) -> Vma:
        """The mapping behind an anonymous fault that no known mapping explains."""
        page = address // PAGE * PAGE
        for vma in self._neighbours(page):
            near = vma.start - _ANONYMOUS_GAP <= page <= vma.end + _ANONYMOUS_GAP
            if vma.inferred and vma.open_file is None and near:
                self._grow(vma, page)
                return vma
        return self.add(now_ns, page, page + PAGE, prot=3, inferred=True)

    def join_segments(self) -> None:
        """Extend inferred mappings of a file up to the next one of the same file.

        A program loader maps segments one after the other, in the order of the file. Of a segment
        only the pages that faulted are known, but the next one's first pages are touched at once
        (relocation), so that its beginning is this one's end.
        """
        for vma, following in zip(self._vmas, self._vmas[1:], strict=False):
            both = vma.inferred and following.inferred and vma.open_file is not None
            if both and vma.open_file is following.open_file:
                skipped = following.offset // PAGE - vma.index_of(following.start)
                if -16 <= skipped <= 0:
                    vma.end = following.start

    def _neighbours(self, page: int) -> list[Vma]:
        """The mapping below and the one above an unmapped page."""
        position = bisect_right(self._starts, page)
        return self._vmas[max(0, position - 1) : position + 1]

    def _grow(self, vma: Vma, page: int) -> None:
        """Extend an inferred mapping to hold `page`; its neighbours on the way are none."""
        if page < vma.start:
            position = self._starts.index(vma.start)
            if vma.open_file:
                vma.offset -= vma.start - page
            vma.start = page
            self._starts[position] = page
        vma.end = max(vma.end, page + PAGE)
