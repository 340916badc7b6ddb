# SPDX-License-Identifier: GPL-2.0-only
"""fault-around-writable: fault-around makes its entries writable.

Must be found as: S17 in fault+mprotect
"""

base = "drop-retry"


@atomic
def filemap_map_folio_range(vma: VMA, folio: Folio, address: Address, nr: int) -> int:
    """Map the pages of one locked folio into the empty PTEs of [address, address + nr).

    Source: filemap_map_folio_range, mm/filemap.c, 6.12
    Context: PTL; folio locked and referenced
    Returns: hits for mmap_miss: every page looked at, unless the folio is a refault
    Left out: poisoned pages
    """
    hits = 0
    for i in range(0, nr):
        if not folio.workingset:
            hits += 1
        if not pte_present(vma.vm_mm, address + i):
            set_pte(vma, address + i, folio, PTE_ACCESSED | PTE_WRITE)
    return hits
