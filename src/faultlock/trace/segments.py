# SPDX-License-Identifier: GPL-2.0-only
"""Inferred mappings of a program file, cut into its segments.

Without the system calls that made them, segments that lie alike in the file and in memory look like
one mapping. Their boundaries show in three ways:

- the range of fault-around is cut at the mapping's ends (its block has 16 pages otherwise);
- a window of an executable mapping is cut at the mapping's end (6.17 and later);
- code is fetched and never written, data behind it is written.
"""

from __future__ import annotations

from collections.abc import Iterable

from faultlock.trace.address_space import PAGE, PROT_EXEC, PROT_READ, PROT_WRITE, Vma
from faultlock.trace.recording import FAULT, Operation

_BLOCK = 16


class Boundaries:
    """Addresses where a mapping begins or ends, by mapping number, as faults show them."""

    def __init__(self) -> None:
        self.of: dict[int, set[int]] = {}

    def mapped_around(self, fault: Operation, first: int, last: int, file_pages: int) -> None:
        """mm_filemap_map_pages over [first, last] for a fault whose page is known."""
        block = fault.index - fault.address // PAGE % _BLOCK
        if not first <= fault.index <= last:
            return
        if first > block:
            self._add(fault, first)
        # Newer kernels cut the range at the end of the file, too.
        if block < last + 1 < block + _BLOCK and last + 1 < file_pages:
            self._add(fault, last + 1)

    def window(self, fault: Operation, index: int, size: int, async_size: int, most: int) -> None:
        """page_cache_ra_order; a window without a mark that is shorter than usual was cut."""
        if async_size == 0 and 0 < size < most and index <= fault.index < index + size:
            self._add(fault, index + size)

    def shifted(self, vma: Vma, distance: int) -> None:
        """The mapping lies `distance` bytes higher than was guessed."""
        known = self.of.pop(vma.number, None)
        if known is not None:
            self.of[vma.number] = {address + distance for address in known}

    def _add(self, fault: Operation, index: int) -> None:
        page = fault.address // PAGE + index - fault.index
        self.of.setdefault(fault.vma, set()).add(page * PAGE)


def split_segments(vmas: list[Vma], operations: list[Operation], known: Boundaries) -> None:
    """Split inferred file mappings at their boundaries; appends to `vmas`, moves operations.

    A piece is executable if something was fetched from it, writable if something was written.
    """
    inside: dict[int, list[Operation]] = {}
    for operation in operations:
        # A write to a page that was read before has no file event: it counts, too.
        if operation.kind == FAULT and operation.vma >= 0:
            vma = vmas[operation.vma]
            if vma.inferred and vma.open_file is not None:
                inside.setdefault(operation.vma, []).append(operation)
    for number, faults in inside.items():
        vma = vmas[number]
        cuts = {cut for cut in known.of.get(number, ()) if vma.start < cut < vma.end}
        writes = [fault.address for fault in faults if fault.write]
        fetches = [fault.address for fault in faults if fault.fetch]
        behind = writes and fetches and min(writes) // PAGE > max(fetches) // PAGE
        if behind and not any(max(fetches) < cut <= min(writes) for cut in cuts):
            cuts.add(min(writes) // PAGE * PAGE)
        for cut in sorted(cuts, reverse=True):
            _split(vmas, vma, cut, faults)
        for piece in {fault.vma for fault in faults}:
            vmas[piece].prot = _protection(fault for fault in faults if fault.vma == piece)


def _protection(faults: Iterable[Operation]) -> int:
    prot = PROT_READ
    for fault in faults:
        prot |= (PROT_EXEC if fault.fetch else 0) | (PROT_WRITE if fault.write else 0)
    return prot


def _split(vmas: list[Vma], vma: Vma, cut: int, faults: list[Operation]) -> None:
    """Everything of `vma` from `cut` on becomes a mapping of its own."""
    rest = Vma(
        len(vmas),
        vma.mm,
        cut,
        vma.end,
        vma.prot,
        vma.shared,
        vma.offset + cut - vma.start,
        vma.open_file,
        vma.advice,
        True,
        vma.created_ns,
        vma.removed_ns,
    )
    vma.end = cut
    vmas.append(rest)
    for fault in faults:
        if fault.vma == vma.number and fault.address >= cut:
            fault.vma = rest.number
