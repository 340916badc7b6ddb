# SPDX-License-Identifier: GPL-2.0-only
"""Which page of the file a fault was about, where fault-around served it without mm_filemap_fault.

mm_filemap_map_pages tells the range [first, last], not the page. The range begins at the aligned
block of 16 pages around the page, or at the mapping's start when that is inside of the block; it
has 16 pages, or ends at the mapping's end, the end of the file, or the end of the page table
(do_fault_around, mm/memory.c).
"""

from __future__ import annotations

from faultlock.trace.address_space import PAGE, AddressSpace, Vma
from faultlock.trace.recording import Operation

_BLOCK = 16
# The header of an ELF file has 64 bytes; behind it are the program headers, which the dynamic
# loader reads first.
_PROGRAM_HEADERS = 64
# Segments of a program lie in the order of the file, each at most a few pages farther from where
# the one before would put it.
_SEGMENT_STEP = 4


def index_in(space: AddressSpace, fault: Operation, first: int, last: int) -> int:
    """The page of a fault inside of an inferred mapping that is not known yet; -1: no telling."""
    page = fault.address // PAGE
    place = page % _BLOCK
    aligned = first + place
    known = _known_bases(space, fault)
    whole = last - first == _BLOCK - 1
    fits = any(_follows(page - aligned, page, base) for base in known) if known else whole
    if aligned <= last and fits:
        return aligned
    # Otherwise the mapping begins inside of the block: at the file's page `first`.
    possible = range(first, min(last, aligned - 1) + 1)
    for _, base in known:
        if page - base in possible:
            return page - base
    if first == 0 and fault.address % PAGE == _PROGRAM_HEADERS:
        return 0
    if aligned <= last:
        return aligned
    if first <= last - (_BLOCK - 1 - place):
        return last - (_BLOCK - 1 - place)
    # The file's first page is where its first mapping begins.
    return 0 if first == 0 else -1


def _known_bases(space: AddressSpace, fault: Operation) -> list[tuple[int, int]]:
    """(page, page at which the file would begin) of mappings of the file, the nearest first."""
    page = fault.address // PAGE
    mappings = [vma for vma in space.vmas if _is_of(vma, fault.file)]
    mappings.sort(key=lambda vma: (not vma.anchored, abs(vma.start // PAGE - page)))
    return [(vma.start // PAGE, (vma.start - vma.offset) // PAGE) for vma in mappings[:4]]


def _is_of(vma: Vma, file: int) -> bool:
    return vma.inferred and vma.open_file is not None and vma.open_file.file == file


def _follows(base: int, page: int, known: tuple[int, int]) -> bool:
    """May one program have a segment at `page` with that base and the known one?"""
    known_page, known_base = known
    step = known_base - base if known_page > page else base - known_base
    return 0 <= step <= _SEGMENT_STEP
